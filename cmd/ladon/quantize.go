package main

import "flag"

var quantizeCommand = command{
	name:    "quantize",
	summary: "write a checkpoint as int8 rows, packed as the kernels read them",
	setup:   func(fs *flag.FlagSet) func(*call) error { return func(c *call) error { return nil } },
}
