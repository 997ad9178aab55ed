public class Trainer {
        static final double LEARNING_RATE = 0.001;
        double loss = 0.5;
        int epoch = 1;
        void run() { System.out.printf("Epoch %d: loss=%.3f%n", epoch, loss); }
}
