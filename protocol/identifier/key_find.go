package identifier

import "strings"

// notFileHash are the words before a run of hexadecimal digits that is something else than the hash of a file.
var notFileHash = set(`commit commits revision rev tree blob parent session sessionid sessid phpsessid jsessionid sid token tokens
	etag apikey key keys secret password passwd pwd nonce csrf xsrf uuid guid trace traceid span spanid cookie salt signature sig
	txid tx txn transaction block btih infohash magnet fingerprint serial udid advertisingid gaid idfa android deviceid request ntlm lm`)

// fileHash are the words that make sure of the hash of a file. Digits end a word here, so "md" stands for "md5".
var fileHash = set(`md sha hash hashes hashed checksum digest`)

// findKeys finds hashes and wallet addresses: runs of letters and digits with a form of their own.
func (s *scan) findKeys() {
	for i := 0; i < len(s.text); {
		if !isAlnum(s.text[i]) {
			i++
			continue
		}
		start := i
		for i < len(s.text) && isAlnum(s.text[i]) {
			i++
		}
		if i-start >= 25 && i-start <= 106 {
			s.key(start, i)
		}
	}
}

func (s *scan) key(start, end int) {
	run := s.text[start:end]
	if mayBeWallet(run) {
		// A wallet's checksum makes it one wherever it stands, in the address of a block explorer too.
		if value, err := canonicalWallet(run); err == nil {
			s.take(start, end, Wallet, value)
			return
		}
	}
	kind := hashKind(len(run))
	if kind == 0 || !s.free(start, end) || !allOf(run, isHex) || !oneCase(run) || s.isNoHash(start, end) {
		return
	}
	if value, err := canonicalHash(kind, run); err == nil {
		s.take(start, end, kind, value)
	}
}

// mayBeWallet tells cheaply whether a run is worth a checksum.
func mayBeWallet(run string) bool {
	switch run[0] {
	case '1', '3', 'L', 'M', 'D', 'A', '9', 'T':
		return len(run) <= 35
	case 'b', 'B', 'l':
		return strings.IndexByte(run, '1') > 0
	case '0':
		return len(run) == 42
	case '4', '8':
		return len(run) == 95 || len(run) == 106
	}
	return strings.HasPrefix(run, "LTC1")
}

func hashKind(length int) Kind {
	switch length {
	case 32:
		return MD5
	case 40:
		return SHA1
	case 64:
		return SHA256
	}
	return 0
}

// oneCase reports hexadecimal digits whose letters are all upper or all lower case, and that are not digits only: no
// tool writes a hash in mixed case, and a number of 32 digits is a number.
func oneCase(run string) bool {
	return (run == strings.ToLower(run)) != (run == strings.ToUpper(run))
}

// isNoHash looks at what is around: the padding and signs of base64, and words for other things.
func (s *scan) isNoHash(start, end int) bool {
	before, after := s.at(start-1), s.at(end)
	if before == '+' || after == '+' || after == '=' || before == '%' || before == '/' && after == '/' {
		return true
	}
	words := s.wordsBefore(start, 3)
	if anyOf(words, fileHash) {
		return false
	}
	return anyOf(words[:min(len(words), 2)], notFileHash)
}
