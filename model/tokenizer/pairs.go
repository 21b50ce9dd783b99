package tokenizer

import (
	"math/bits"
	"math/rand/v2"
)

// pairTable finds what two neighbouring tokens merge into: open addressing, at most three quarters full. Its multiplier
// is drawn at random, so that no file can be made to collide.
type pairTable struct {
	slots []pairSlot
	odd   uint64
	shift uint8
}

type pairSlot struct {
	left, right int32 // left is -1 in a free slot
	rank        uint32
	id          int32
}

func newPairTable(n int) pairTable {
	size := bits.Len(uint(n + n/3 + 1))
	t := pairTable{slots: make([]pairSlot, 1<<size), odd: rand.Uint64() | 1, shift: uint8(64 - size)}
	for i := range t.slots {
		t.slots[i].left = -1
	}
	return t
}

func (t *pairTable) home(left, right int32) uint64 {
	return (uint64(uint32(left))<<32 | uint64(uint32(right))) * t.odd >> t.shift
}

// insert adds a merge; of equal pairs the last counts.
func (t *pairTable) insert(left, right int32, rank uint32, id int32) {
	i := t.home(left, right)
	for t.slots[i].left >= 0 && (t.slots[i].left != left || t.slots[i].right != right) {
		i = (i + 1) & uint64(len(t.slots)-1)
	}
	t.slots[i] = pairSlot{left, right, rank, id}
}

// noPair is the answer for tokens that do not merge; it is greater than any merge.
const noPair = ^uint64(0)

// find returns rank<<32 | id, or noPair.
func (t *pairTable) find(left, right int32) uint64 {
	for i := t.home(left, right); ; i = (i + 1) & uint64(len(t.slots)-1) {
		s := &t.slots[i]
		if s.left == left && s.right == right {
			return uint64(s.rank)<<32 | uint64(uint32(s.id))
		}
		if s.left < 0 {
			return noPair
		}
	}
}
