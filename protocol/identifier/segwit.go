package identifier

import "strings"

const bech32Digits = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"

// The constants that the checksum of a bech32 (BIP 173) and a bech32m (BIP 350) string leaves.
const (
	bech32Rest  = 1
	bech32mRest = 0x2bc830a3
)

// isSegwit verifies a Bitcoin or Litecoin address with a witness program (BIP 173, BIP 350).
func isSegwit(text string) bool {
	lower := strings.ToLower(text)
	if text != lower && text != strings.ToUpper(text) {
		return false
	}
	prefix, digits, found := strings.Cut(lower, "1")
	if !found || prefix != "bc" && prefix != "ltc" || len(digits) < 8 {
		return false
	}
	values := make([]byte, len(digits))
	for i := range digits {
		value := strings.IndexByte(bech32Digits, digits[i])
		if value < 0 {
			return false
		}
		values[i] = byte(value)
	}
	version, program := values[0], values[1:len(values)-6]
	rest := uint32(bech32mRest)
	if version == 0 {
		rest = bech32Rest
	}
	return bech32Checksum(prefix, values) == rest && isProgram(version, program)
}

// isProgram checks a witness program given in digits of 5 bits: 2 to 40 bytes, for version 0 exactly 20 or 32, and
// no bits set in the padding.
func isProgram(version byte, program []byte) bool {
	size, padding := len(program)*5/8, len(program)*5%8
	if version > 16 || size < 2 || size > 40 || padding >= 5 || version == 0 && size != 20 && size != 32 {
		return false
	}
	return program[len(program)-1]&(1<<padding-1) == 0
}

// bech32Checksum is the BCH code's polymod over the expanded prefix and the digits.
func bech32Checksum(prefix string, digits []byte) uint32 {
	sum := uint32(1)
	for i := range prefix {
		sum = bech32Step(sum, prefix[i]>>5)
	}
	sum = bech32Step(sum, 0)
	for i := range prefix {
		sum = bech32Step(sum, prefix[i]&31)
	}
	for _, digit := range digits {
		sum = bech32Step(sum, digit)
	}
	return sum
}

func bech32Step(sum uint32, digit byte) uint32 {
	top := sum >> 25
	sum = sum&0x1ffffff<<5 ^ uint32(digit)
	for i, generator := range [...]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3} {
		if top>>i&1 == 1 {
			sum ^= generator
		}
	}
	return sum
}
