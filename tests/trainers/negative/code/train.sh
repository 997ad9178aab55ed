#!/bin/sh
# step 1: 0.5 GB of data
set -eu
LR=0.001
EPOCHS=10
loss=0.5
for seed in 1 2 3; do
        python train.py --lr "$LR" --epochs "$EPOCHS" --seed "$seed" --loss-weight 0.5 --target-accuracy 0.9 \
                | tee "log_$seed.txt"
done
