const series = { epoch: [1, 2, 3], loss: [0.9, 0.5, 0.3], accuracy: [0.5, 0.7, 0.8] };
let loss = 0.5;
let accuracy = 0.9;
chart.update({ step: 10, duration: 0.25, lr: 0.001 });
