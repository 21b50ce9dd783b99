package kernels

// Weights in blocks: every 32 weights of a row are small integers, the codes,
// with a scale of their own (GGUF's formats, ggml-common.h of llama.cpp). They
// are packed so that the codes of 16 rows come in the order in which
// instructions for dot products of four bytes take them, at the file's number of
// bits; docs/numerics.md has the layout.

// blockLen is how many weights share an activation's scale.
const blockLen = 32

// codeGroups is the groups of four codes of a block: each is an operand of a dot
// product, for 16 outputs at once.
const codeGroups = blockLen / 4

// blockKind is what a block's sum of integers goes through, see blockTile.
type blockKind uint8

const (
	kindOffset blockKind = iota // codes less an offset, one scale
	kindBytes                   // kindOffset with codes of 8 bits, too wide for some instructions
	kindMins                    // codes, one scale, and a number added to each weight
	numKinds
	kindHalves = numKinds // codes less an offset, a scale for each half: only in super-blocks
)

// values is the float32 that the scales of a block and one output expand to.
func (k blockKind) values() int {
	if k < kindMins {
		return 1
	}
	return 2
}

// blockForm describes one format.
type blockForm struct {
	elements, bytes int // of a block of the file
	bits            int // of a code: 4, 5, 6 or 8
	offset          int // what is taken from each code
	kind            blockKind
	super           bool // 8 blocks have half-precision scales for their scales in common
}

var blockForms = [numDTypes - Q8_0]blockForm{
	Q8_0 - Q8_0: {32, 34, 8, 128, kindBytes, false},
	Q4_0 - Q8_0: {32, 18, 4, 8, kindOffset, false},
	Q4_1 - Q8_0: {32, 20, 4, 0, kindMins, false},
	Q5_0 - Q8_0: {32, 22, 5, 16, kindOffset, false},
	Q5_1 - Q8_0: {32, 24, 5, 0, kindMins, false},
	Q4_K - Q8_0: {256, 144, 4, 0, kindMins, true},
	Q5_K - Q8_0: {256, 176, 5, 0, kindMins, true},
	Q6_K - Q8_0: {256, 210, 6, 32, kindHalves, true},
}

// superLen is how many blocks a super-block has.
const superLen = 8

// codeBytes is the size of the codes of one block of a panel.
func (f *blockForm) codeBytes() int { return blockLen * panelWidth * f.bits / 8 }

// A panel holds spans of blocks one after the other, each with the scales of all
// its blocks first, so that memory is read in order.

// span is how many blocks that is.
func (f *blockForm) span() int {
	if f.super {
		return superLen
	}
	return 2 / f.kind.values()
}

// head is the size of the scales of a span.
func (f *blockForm) head() int {
	if f.super {
		return f.superHead()
	}
	return cacheLine
}

// spanBytes is the distance between spans.
func (f *blockForm) spanBytes() int { return f.head() + f.span()*f.codeBytes() }

// codesAt is where the codes of block b of a panel begin.
func (f *blockForm) codesAt(b int) int {
	return b/f.span()*f.spanBytes() + f.head() + b%f.span()*f.codeBytes()
}

// scalesAt is where the scales of block b of a panel begin, or those of its
// super-block.
func (f *blockForm) scalesAt(b int) int {
	at := b / f.span() * f.spanBytes()
	if !f.super {
		at += b % f.span() * 2 * panelWidth * f.kind.values()
	}
	return at
}

// panelBytes is the distance between panels of n blocks, which are whole lines.
func (f *blockForm) panelBytes(n int) int {
	size := n / f.span() * f.spanBytes()
	if rest := n % f.span(); rest > 0 {
		size += f.head() + rest*f.codeBytes()
	}
	return size
}
