package main

import "flag"

var benchAttentionCase = command{
	name:    "attention",
	summary: "multi-head attention on float32 queries, keys and values",
	setup:   func(fs *flag.FlagSet) func(*call) error { return func(c *call) error { return nil } },
}

var benchMHACase = command{
	name:    "mha",
	summary: "the attention module of the textbooks: projections, heads and output",
	setup:   func(fs *flag.FlagSet) func(*call) error { return func(c *call) error { return nil } },
}
