//go:build unix && !linux && !race

package mem

func advise([]byte) {}
