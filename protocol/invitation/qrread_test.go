package invitation

import (
	"bytes"
	"errors"
	"fmt"
)

// modules is a QR code as a reader sees it, true where it is dark. What follows
// reads one as ISO/IEC 18004 says, with nothing of the library that wrote it. It
// corrects no error: it wants none.
type modules [][]bool

func (m modules) version() int { return (len(m) - 17) / 4 }

// bits gathers modules, the first the highest.
func (m modules) bits(points ...[2]int) (v int) {
	for _, p := range points {
		v <<= 1
		if m[p[1]][p[0]] {
			v |= 1
		}
	}
	return v
}

// bch appends the check bits of a generator to data (annexes C and D).
func bch(data, generator, size int) int {
	rest := data << size
	for i := 31; i >= size; i-- {
		if rest>>i&1 == 1 {
			rest ^= generator << (i - size)
		}
	}
	return data<<size | rest
}

// format reads the level and the mask (section 7.9).
func (m modules) format() (low bool, mask int, err error) {
	n := len(m)
	first := m.bits([2]int{0, 8}, [2]int{1, 8}, [2]int{2, 8}, [2]int{3, 8}, [2]int{4, 8}, [2]int{5, 8}, [2]int{7, 8}, [2]int{8, 8},
		[2]int{8, 7}, [2]int{8, 5}, [2]int{8, 4}, [2]int{8, 3}, [2]int{8, 2}, [2]int{8, 1}, [2]int{8, 0})
	var points [][2]int
	for i := 1; i <= 7; i++ {
		points = append(points, [2]int{8, n - i})
	}
	for i := 8; i >= 1; i-- {
		points = append(points, [2]int{n - i, 8})
	}
	v := first ^ 0x5412
	if second := m.bits(points...); first != second || bch(v>>10, 0x537, 10) != v || !m[n-8][8] {
		return false, 0, fmt.Errorf("format %015b and %015b", first, second)
	}
	if level := v >> 13; level != 0 && level != 1 {
		return false, 0, fmt.Errorf("level %d, want L or M", level)
	}
	return v>>13 == 1, v >> 10 & 7, nil
}

// checkVersion compares the version information with the size (section 7.10).
func (m modules) checkVersion() error {
	v, n := m.version(), len(m)
	if v < 7 {
		return nil
	}
	var right, bottom [][2]int
	for i := 17; i >= 0; i-- {
		right = append(right, [2]int{n - 11 + i%3, i / 3})
		bottom = append(bottom, [2]int{i / 3, n - 11 + i%3})
	}
	if want := bch(v, 0x1f25, 12); m.bits(right...) != want || m.bits(bottom...) != want {
		return fmt.Errorf("version information is not that of version %d", v)
	}
	return nil
}

// alignment are the coordinates of alignment patterns (annex E).
func (m modules) alignment() []int {
	v := m.version()
	if v == 1 {
		return nil
	}
	count := v/7 + 2
	step := (v*4 + count*2 + 1) / (count*2 - 2) * 2
	if v == 32 {
		step = 26
	}
	list := []int{6}
	for i := count - 2; i >= 0; i-- {
		list = append(list, len(m)-7-i*step)
	}
	return list
}

// function reports whether a module holds no data.
func (m modules) function(x, y int, alignment []int) bool {
	n := len(m)
	if x == 6 || y == 6 || x < 9 && (y < 9 || y >= n-8) || x >= n-8 && y < 9 {
		return true
	}
	if m.version() >= 7 && (x < 6 && y >= n-11 || y < 6 && x >= n-11) {
		return true
	}
	for _, cx := range alignment {
		for _, cy := range alignment {
			corner := cx == 6 && cy == 6 || cx == 6 && cy == n-7 || cx == n-7 && cy == 6
			if !corner && max(x-cx, cx-x, y-cy, cy-y) <= 2 {
				return true
			}
		}
	}
	return false
}

func masked(mask, x, y int) bool {
	return [...]int{(x + y) % 2, y % 2, x % 3, (x + y) % 3, (x/3 + y/2) % 2, x*y%2 + x*y%3, (x*y%2 + x*y%3) % 2, ((x+y)%2 + x*y%3) % 2}[mask] == 0
}

// codewords reads the data area in its order (section 7.7.3).
func (m modules) codewords(mask int) []byte {
	var out []byte
	alignment, n, count := m.alignment(), len(m), 0
	up := true
	for right := n - 1; right > 0; right -= 2 {
		if right == 6 {
			right--
		}
		for i := range n {
			y := i
			if up {
				y = n - 1 - i
			}
			for _, x := range []int{right, right - 1} {
				if m.function(x, y, alignment) {
					continue
				}
				if count%8 == 0 {
					out = append(out, 0)
				}
				out[count/8] <<= 1
				if m[y][x] != masked(mask, x, y) {
					out[count/8] |= 1
				}
				count++
			}
		}
		up = !up
	}
	return out[:count/8]
}

// Blocks by version (table 9): check codewords of each, and how many.
var (
	checksL = [...]int{7, 10, 15, 20, 26, 18, 20, 24, 30, 18, 20, 24, 26, 30, 22, 24, 28, 30, 28, 28, 28, 28, 30, 30, 26, 28, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30}
	checksM = [...]int{10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22, 22, 24, 24, 28, 28, 26, 26, 26, 26, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28}
	blocksL = [...]int{1, 1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 4, 4, 6, 6, 6, 6, 7, 8, 8, 9, 9, 10, 12, 12, 12, 13, 14, 15, 16, 17, 18, 19, 19, 20, 21, 22, 24, 25}
	blocksM = [...]int{1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10, 10, 11, 13, 14, 16, 17, 17, 18, 20, 21, 23, 25, 26, 28, 29, 31, 33, 35, 37, 38, 40, 43, 45, 47, 49}
)

// data takes the blocks apart and wants each to be without error (section 7.6).
func data(raw []byte, checks, blocks int) ([]byte, error) {
	short := len(raw)/blocks - checks
	long := len(raw) % blocks
	list := make([][]byte, blocks)
	for i := range short + 1 {
		for b := range blocks {
			if i < short || b >= blocks-long {
				list[b], raw = append(list[b], raw[0]), raw[1:]
			}
		}
	}
	out := bytes.Join(list, nil)
	for range checks {
		for b := range blocks {
			list[b], raw = append(list[b], raw[0]), raw[1:]
		}
	}
	for b, block := range list {
		if !divisible(block, checks) {
			return nil, fmt.Errorf("block %d has an error", b)
		}
	}
	return out, nil
}

// divisible reports whether a Reed-Solomon block has every root of its generator.
func divisible(block []byte, checks int) bool {
	root := byte(1)
	for range checks {
		value := byte(0)
		for _, c := range block {
			value = times(value, root) ^ c
		}
		if value != 0 {
			return false
		}
		root = times(root, 2)
	}
	return true
}

// times multiplies in the field of 256 elements by 0x11d.
func times(a, b byte) (product byte) {
	for ; b > 0; b >>= 1 {
		if b&1 == 1 {
			product ^= a
		}
		carry := a >> 7
		a = a<<1 ^ carry*0x1d
	}
	return product
}

// readQR returns the text of a code with one alphanumeric segment (section 7.4.4).
func readQR(m modules) (string, error) {
	low, mask, err := m.format()
	if err != nil {
		return "", err
	}
	if err := m.checkVersion(); err != nil {
		return "", err
	}
	v := m.version()
	checks, blocks := checksM[v-1], blocksM[v-1]
	if low {
		checks, blocks = checksL[v-1], blocksL[v-1]
	}
	b, err := data(m.codewords(mask), checks, blocks)
	if err != nil {
		return "", err
	}
	at := 0
	take := func(n int) (v int) {
		for range n {
			v = v<<1 | int(b[at/8]>>(7-at%8)&1)
			at++
		}
		return v
	}
	if mode := take(4); mode != 2 {
		return "", fmt.Errorf("mode %d, want alphanumeric", mode)
	}
	size := 9 // of the count of characters (table 3)
	if v >= 10 {
		size = 11
	}
	if v >= 27 {
		size = 13
	}
	var out []byte
	for left := take(size); left > 0; left -= 2 {
		if left == 1 {
			out = append(out, characters[take(6)])
			break
		}
		pair := take(11)
		if pair >= 45*45 {
			return "", errors.New("a pair of characters that is none")
		}
		out = append(out, characters[pair/45], characters[pair%45])
	}
	return string(out), nil
}
