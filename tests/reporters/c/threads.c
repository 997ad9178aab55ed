/* Eight threads that report and ask, while one forks; each child reports once. Prints how many were taken. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <experiments.h>

enum { THREADS = 8, REPORTS = 500, CHILDREN = 8 };

static void *report(void *argument) {
        int thread = *(int *)argument;
        long taken = 0;

        for (int i = 1; i <= REPORTS; i++) {
                char name[32];
                struct exp_metric metric = { name, i };

                snprintf(name, sizeof(name), "thread%d", thread);
                taken += exp_report_epoch(NULL, i, &metric, 1) == 0;
                if (i % 50 == 0)
                        taken += exp_should_stop(NULL) + (exp_flush(NULL, -1) != 0) + (long)exp_dropped(NULL);
        }
        return (void *)taken;
}

/* The children's names differ from those of threads, which they do not have. */
static int fork_children(void) {
        int failed = 0, status;

        for (int i = 0; i < CHILDREN; i++)
                if (fork() == 0) {
                        struct exp_metric metric = { "child", i };
                        int r = exp_report_epoch(NULL, i + 1, &metric, 1);

                        _exit(r != 0 || exp_flush(NULL, -1) != 0 || exp_dropped(NULL) != 0);
                }
        while (wait(&status) > 0)
                failed += status != 0;
        return failed;
}

int main(void) {
        pthread_t threads[THREADS];
        int names[THREADS], failed;
        long taken = 0;

        for (int i = 0; i < THREADS; i++) {
                names[i] = i;
                if (pthread_create(&threads[i], NULL, report, &names[i]) != 0)
                        abort();
        }
        failed = fork_children();
        for (int i = 0; i < THREADS; i++) {
                void *result;

                pthread_join(threads[i], &result);
                taken += (long)result;
        }
        printf("%ld\n", taken);
        return failed != 0 || exp_flush(NULL, -1) != 0;
}
