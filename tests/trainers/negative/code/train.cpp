#include <cstdio>
// Iteration 100, loss = 0.5 is what it prints.
static const double learning_rate = 0.01;
static const double momentum = 0.9;
int main() {
        double loss = 1.0, accuracy = 0.0;
        for (int epoch = 1; epoch <= 10; epoch++) {
                loss *= 0.9;
                accuracy = 1.0 - loss;
                std::printf("epoch: %d loss: %f accuracy: %f\n", epoch, loss, accuracy);
        }
        return 0;
}
