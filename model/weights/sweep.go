package weights

// A sweep rounds the elements of a group to the levels of a range that is cut into
// more and more of them. From one step to the next few elements change their
// level, and which is known beforehand: a step costs three additions.
type sweep struct {
	// Elements, and each one's place in the range, 0…1, its weight, and its last level.
	x, part, weight [groupMost]float32
	top             [groupMost]uint8

	now   levelSums
	steps [sweepSteps + 1]levelSums // what each adds; the last is for none
}

const (
	groupMost  = 32
	sweepSteps = 21
)

// levelSums are sums over a group: of weight·level, weight·level² and
// weight·level·element.
type levelSums struct{ l, ll, lx float64 }

// add moves an element from level q to the next.
func (s *levelSums) add(weight, weighed float64, q int) {
	s.l += weight
	s.ll += float64(weight * float64(2*q+1))
	s.lx += weighed
}

// begin plans the steps, of levels levels and then more by each more, for the first
// size elements. It takes an element to change twice at most, since all steps
// together add two levels and hardly more to the whole range.
func (s *sweep) begin(size int, levels, more float32) {
	s.now = levelSums{}
	clear(s.steps[:])
	perMore := 1 / more
	for i := range size {
		part, top := max(s.part[i], 1e-9), int(s.top[i])
		w := float64(s.weight[i])
		weighed := w * float64(s.x[i])
		q := min(int(float32(part*levels)+0.5), top)
		s.now.l += float64(w * float64(q))
		s.now.ll += float64(w * float64(q*q))
		s.now.lx += float64(weighed * float64(q))
		// The step at which the element's place among the levels passes the middle
		// between q and q+1, and how many later it passes the next one.
		per := perMore / part
		at := float32((float32(q)+0.5)*per) - float32(levels*perMore)
		k := min(max(int(at)+1, 0), sweepSteps)
		if q >= top {
			k = sweepSteps
		}
		s.steps[k].add(w, weighed, q)
		next := min(max(int(at+per)+1, 0), sweepSteps)
		if q+1 >= top {
			next = sweepSteps
		}
		s.steps[next].add(w, weighed, q+1)
	}
}

// step goes on to step k.
func (s *sweep) step(k int) *levelSums {
	d := &s.steps[k]
	s.now.l, s.now.ll, s.now.lx = s.now.l+d.l, s.now.ll+d.ll, s.now.lx+d.lx
	return &s.now
}
