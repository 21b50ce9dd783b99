module github.com/ladon-ml/ladon

go 1.26
