// Package par spreads the items of an operation over the processors: one lazy,
// process-wide pool of helpers, and the one place in Ladon that starts
// goroutines.
//
// A [Pass] is one run of a model or of an operation. Between Begin and End its
// caller hands over work by [Pass.Do], always works itself, and is joined by
// whichever helpers are awake. Any number of passes may be open at once, each on
// a goroutine of its own. Open passes and helpers that are awake are together no
// more than GOMAXPROCS, as read at the latest Begin: as many passes as
// processors run without any help, each on its own processor.
//
// Waking a parked goroutine can take longer than an operation does, so helpers
// that have just worked poll for more: for 50 µs in a spin, then by yielding to
// other goroutines, and then they park. An idle process has nobody awake.
//
// Who runs which item is not determined; what an item computes must not depend
// on it, nor on the number of workers.
package par
