/* Which names are x, which are metrics, and which are book-keeping. */
#include "said.h"

#include "formats/keys.h"

static void assert_role(enum key_role role, const char *const *names) {
        for (; *names; names++)
                if (key_of(slice_from(*names)).role != role)
                        fail_msg("\"%s\" is %d, not %d", *names, (int)key_of(slice_from(*names)).role, (int)role);
}

static void test_metrics(void **state) {
        static const char *const names[] = {
                "loss", "train_loss", "val/acc@5", "mAP_s", "coco/bbox_mAP_s", "learning_rate", "lr-Adam", "grad_norm",
                "grad norm", "loss scale", "loss_scale", "momentum", "entropy", "kl", "explained_variance",
                "mean_token_accuracy", "episode_len_mean", "episode_reward_mean", "completions/mean_length",
                "time_loss", "loss_per_sample", "max 100 episode reward", "fast_rcnn/false_negative", "frac",
                "train/clip_range", "info/learner/vf_explained_var", "loss/step", "lm loss", "metrics/mAP50-95(B)",
                "clip_ratio", "weight_decay", "rollout/ep_len_mean", "epoch_loss", "r2", "l_pix", NULL,
        };

        (void)state;
        assert_role(KEY_METRIC, names);
}

static void test_book_keeping(void **state) {
        static const char *const names[] = {
                "eta", "eta_seconds", "ETA", "elapsed time per iteration (ms)", "elapsed_time", "time_per_step",
                "samples/sec", "it/s", "It/sec", "Tokens/sec", "train_samples_per_second", "eval_steps_per_second",
                "tokens_per_sec", "fps", "mfu", "data_time", "rank_data_time", "train_runtime", "loss_time", "memory",
                "memory(GiB)", "Peak mem", "max_mem", "System/Peak GPU Memory (MB)", "gpu_util", "batch_size",
                "global batch size", "consumed samples", "consumed_samples", "num_tokens", "tokens_seen",
                "Trained Tokens", "num_input_tokens_seen", "episodes_total", "num episodes", "samples",
                "eval_samples", "roi_head/num_fg_samples", "rpn/num_pos_anchors", "n_parameters", "done", "pid",
                "trial_id", "percentage", "progress", "total_flos", "model/GFLOPs", "wps", "ups", "wpb", "bsz", "train_wall",
                "time_this_iter_s", "time_total_s", "timesteps_this_iter", "iterations_since_restore",
                "info/num_steps_trained", "info/sample_time_ms", "info/opt_peak_throughput", "info/opt_samples",
                "config/lr", "hparams/x", "timers/learn", "perf/cpu", "system/cpu/usage", "_wandb/runtime", "_runtime",
                "v", "level", "BAD_EPOCHS", "number of skipped iterations", "time/fps", "train_speed(iter/s)",
                "remaining_time", "total_steps", "max_steps", "seed", "world_size", "version", NULL,
        };

        (void)state;
        assert_role(KEY_IGNORED, names);
}

static void test_x(void **state) {
        static const char *const epochs[] = { "epoch", "Epoch", "EPOCH", "current_epoch", "train/epoch", NULL };
        static const char *const steps[] = { "step", "_step", "global_step", "trainer/global_step", "iter", "iteration",
                                             "num_updates", "time/total_timesteps", "#", "Step", "training_iteration",
                                             "global_step/max_steps", "batch", NULL };
        static const char *const times[] = { "timestamp", "_timestamp", "Wall time", "ts", NULL };

        (void)state;
        assert_role(KEY_EPOCH, epochs);
        assert_role(KEY_STEP, steps);
        assert_role(KEY_TIME, times);
        assert_true(key_of(SLICE("global_step")).rank < key_of(SLICE("batch")).rank);
        assert_true(key_is_of_summary(SLICE("train_runtime")) && !key_is_of_summary(SLICE("eval_runtime")));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_metrics),
                cmocka_unit_test(test_book_keeping),
                cmocka_unit_test(test_x),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
