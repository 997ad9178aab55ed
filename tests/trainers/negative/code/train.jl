using Flux
loss(x, y) = Flux.mse(model(x), y)
opt = Adam(0.001)
epochs = 10
for epoch in 1:epochs
    Flux.train!(loss, ps, data, opt)
    @info "epoch" epoch loss = 0.5
end
