/* As docs/reporters.md shows it; in C and in C++. */
#include <experiments.h>

int main(void) {
        float loss = 1;
        int correct = 90;

        EXP_PARAMETERS({ "lr", 0.01, NULL }, { "optimizer", 0, "adam" });
        for (int epoch = 1; epoch <= 3 && !exp_should_stop(NULL); epoch++) {
                loss /= 2;
                EXP_REPORT(epoch, { "loss", loss }, { "accuracy", correct / 100.0 });
        }
        EXP_REPORT_STEP(300, { "loss", loss });
        exp_end(NULL, 0, NULL);
        return exp_flush(NULL, 60000) != 0;
}
