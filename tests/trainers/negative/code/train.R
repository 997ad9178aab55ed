library(xgboost)
params <- list(eta = 0.1, max_depth = 6, objective = "binary:logistic")
bst <- xgb.train(params, dtrain, nrounds = 100, watchlist = list(train = dtrain))
# [1]  train-logloss:0.598438
loss <- 0.5
accuracy = 0.9
cat(sprintf("step %d loss %.3f\n", 1, loss))
