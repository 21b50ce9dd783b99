package kernels

import (
	"math"
	"unsafe"
)

// keyLanes is sixteen lanes of key i.
func keyLanes(s *float32, i, ld int) *[panelWidth]float32 {
	return (*[panelWidth]float32)(unsafe.Add(unsafe.Pointer(s), i*ld))
}

// weighLanesGeneric is, for every lane q,
//
//	x = s[key][q] - top
//	s[key][q] = 2^x·inverse
//	entropy[q] -= s[key][q]·(max(x, -126)-bits)
//
// with top, inverse and bits in row[0][q], row[1][q] and row[2][q].
func weighLanesGeneric(keys int, s *float32, ld int, row, entropy *float32) {
	r, sum := (*[3][panelWidth]float32)(unsafe.Pointer(row)), keyLanes(entropy, 0, 0)
	for i := range keys {
		for q, v := range keyLanes(s, i, ld) {
			x := v - r[0][q]
			w := exp2Generic(x) * r[1][q]
			keyLanes(s, i, ld)[q] = w
			sum[q] -= float32(w * (max(x, -126) - r[2][q]))
		}
	}
}

// groupLanesGeneric is, but for NaN,
//
//	largest[g][q] = max(s[g·size][q], …, s[g·size+size-1][q])
func groupLanesGeneric(groups, size int, s *float32, ld int, largest *float32) {
	for g := range groups {
		to := keyLanes(largest, g, 4*panelWidth)
		*to = *keyLanes(s, g*size, ld)
		for i := 1; i < size; i++ {
			for q, x := range keyLanes(s, g*size+i, ld) {
				to[q] = max(to[q], x)
			}
		}
	}
}

// topLanesGeneric keeps the k largest scores of every lane in best[1…k][q], in
// falling order, the earlier of equals first, and the numbers of their keys, the
// first of which is first. best[0][q] is +Inf.
func topLanesGeneric(keys int, s *float32, ld, k int, best *float32, index *int32, first int32) {
	scores := unsafe.Slice(best, (1+k)*panelWidth)
	numbers := unsafe.Slice(index, (1+k)*panelWidth)
	for i := range keys {
		for q, x := range keyLanes(s, i, ld) {
			at := k*panelWidth + q
			if !(x > scores[at]) {
				continue
			}
			for ; x > scores[at-panelWidth]; at -= panelWidth {
				scores[at], numbers[at] = scores[at-panelWidth], numbers[at-panelWidth]
			}
			scores[at], numbers[at] = x, first+int32(i)
		}
	}
}

// massLanesGeneric is mass[key] += Σ s[key][q]·u[q].
func massLanesGeneric(keys int, s *float32, ld int, u, mass *float32) {
	factor, sums := keyLanes(u, 0, 0), unsafe.Slice(mass, keys)
	for i := range sums {
		lanes := lanes16(*keyLanes(s, i, ld))
		for q := range lanes {
			lanes[q] *= factor[q]
		}
		sums[i] += lanes.sum()
	}
}

// spreadLanesGeneric is sum[q] += Σ s[key][q]·|offset[q]+key|.
func spreadLanesGeneric(keys int, s *float32, ld int, offset, sum *float32) {
	at, sums := keyLanes(offset, 0, 0), keyLanes(sum, 0, 0)
	for i := range keys {
		for q, w := range keyLanes(s, i, ld) {
			sums[q] += float32(w * float32(math.Abs(float64(at[q]+float32(i)))))
		}
	}
}

// nearLanesGeneric is sum[q] += Σ s[key][q] over the keys with |offset[q]+key| < limit.
func nearLanesGeneric(keys int, s *float32, ld int, offset, sum *float32, limit float32) {
	at, sums := keyLanes(offset, 0, 0), keyLanes(sum, 0, 0)
	for i := range keys {
		for q, w := range keyLanes(s, i, ld) {
			if float32(math.Abs(float64(at[q]+float32(i)))) < limit {
				sums[q] += w
			}
		}
	}
}
