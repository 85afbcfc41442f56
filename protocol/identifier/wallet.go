package identifier

import (
	"bytes"
	"crypto/sha256"
	"strings"

	"github.com/mr-tron/base58"
	"golang.org/x/crypto/sha3"
)

// RefusedWallet is the answer to an address whose checksum does not hold.
const RefusedWallet Refusal = "This is not a wallet address: its check digits do not fit. Copy it rather than type it."

// canonicalWallet accepts addresses of Bitcoin, Litecoin, Dogecoin, Tron, Ethereum (and the chains that use its
// form) and Monero, each by its checksum. The value is the address as its own standard writes it.
func canonicalWallet(text string) (string, error) {
	// Payment links: bitcoin:ADDRESS?amount=…
	if _, address, found := strings.Cut(text, ":"); found {
		text, _, _ = strings.Cut(address, "?")
	}
	switch {
	case len(text) == 42 && (strings.HasPrefix(text, "0x") || strings.HasPrefix(text, "0X")):
		if address, ok := ethereum(text[2:]); ok {
			return address, nil
		}
	case len(text) == 95 || len(text) == 106:
		if isMonero(text) {
			return text, nil
		}
	case len(text) >= 14 && len(text) <= 90 && (len(text) > 35 || strings.EqualFold(text[:3], "bc1")):
		if isSegwit(text) {
			return strings.ToLower(text), nil
		}
	case len(text) >= 25 && len(text) <= 35:
		if isBase58Check(text) {
			return text, nil
		}
	}
	return "", RefusedWallet
}

// base58Versions are the version bytes of addresses: Bitcoin's and Litecoin's for keys and scripts, Dogecoin's, Tron's.
const base58Versions = "\x00\x05\x30\x32\x1e\x16\x41"

// isBase58Check verifies the 4-byte double SHA-256 checksum of Bitcoin's original address format.
func isBase58Check(text string) bool {
	decoded, err := base58.Decode(text)
	if err != nil || len(decoded) != 25 || strings.IndexByte(base58Versions, decoded[0]) < 0 {
		return false
	}
	once := sha256.Sum256(decoded[:21])
	twice := sha256.Sum256(once[:])
	return bytes.Equal(twice[:4], decoded[21:])
}

// ethereum checks 40 hexadecimal digits by EIP-55 and returns the address in that form. Digits all in one case carry
// no checksum and are accepted as they are.
func ethereum(digits string) (string, bool) {
	if !allOf(digits, isHex) || repeats(digits) {
		return "", false
	}
	lower := strings.ToLower(digits)
	hasher := sha3.NewLegacyKeccak256()
	hasher.Write([]byte(lower))
	sum := hasher.Sum(nil)
	form := []byte(lower)
	for i, c := range form {
		if !isDigit(c) && sum[i/2]>>(4*(1-i%2))&15 >= 8 {
			form[i] = c - 'a' + 'A'
		}
	}
	if digits != lower && digits != strings.ToUpper(digits) && digits != string(form) {
		return "", false
	}
	return "0x" + string(form), true
}

// moneroVersions are the version bytes of standard, integrated and sub-addresses.
const moneroVersions = "\x12\x13\x2a"

// isMonero verifies the 4-byte Keccak checksum of a Monero address. Monero encodes base58 in blocks of 8 bytes as 11
// characters, and the last 5 bytes as 7.
func isMonero(text string) bool {
	decoded := make([]byte, 0, 77)
	for len(text) > 0 {
		size, width := 11, 8
		if len(text) < size {
			size, width = 7, 5
		}
		// The library reads a leading 1 as a whole zero byte, as Bitcoin does; here it is a zero digit.
		block, err := base58.Decode("1" + strings.TrimLeft(text[:size], "1"))
		if err != nil || len(block)-1 > width {
			return false
		}
		decoded = append(decoded, make([]byte, width-len(block)+1)...)
		decoded = append(decoded, block[1:]...)
		text = text[size:]
	}
	if strings.IndexByte(moneroVersions, decoded[0]) < 0 {
		return false
	}
	payload := decoded[:len(decoded)-4]
	hasher := sha3.NewLegacyKeccak256()
	hasher.Write(payload)
	return bytes.Equal(hasher.Sum(nil)[:4], decoded[len(payload):])
}
