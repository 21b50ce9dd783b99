// Package lint is the house's rules as tests: who may import whom, who may start
// goroutines, and what every file looks like. There is nothing else in it.
package lint
