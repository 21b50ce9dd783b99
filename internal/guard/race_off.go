//go:build !race

package guard

// Race tells whether the race detector is in this build.
const Race = false
