package identifier

import "strings"

// Refusals of file hashes.
const (
	RefusedHash      Refusal = "This is not a file hash: MD5 has 32 hexadecimal digits, SHA-1 has 40, SHA-256 has 64."
	RefusedEmptyHash Refusal = "This is the hash of an empty or blank file, which any computer holds."
)

// hashLength is how many hexadecimal digits a hash of each kind has.
func hashLength(kind Kind) int {
	switch kind {
	case MD5:
		return 32
	case SHA1:
		return 40
	default:
		return 64
	}
}

func canonicalHash(kind Kind, text string) (string, error) {
	// Tools write the algorithm in front: "sha256:…", "MD5 = …".
	name := kind.String()
	if head := text[:min(len(text), len(name))]; strings.EqualFold(head, name) {
		text = strings.TrimLeft(text[len(name):], " :=")
	}
	hash := strings.ToLower(text)
	if len(hash) != hashLength(kind) || !allOf(hash, isHex) || repeats(hash) {
		return "", RefusedHash
	}
	if blankHashes[hash] {
		return "", RefusedEmptyHash
	}
	return hash, nil
}

// repeats reports a placeholder such as 000…0.
func repeats(s string) bool { return strings.Count(s, s[:1]) == len(s) }

// blankHashes are the hashes of files that say nothing about who holds them: the empty file, one line feed, one
// carriage return and line feed, one zero byte, blocks of 512, 1,024, 4,096, 32,768 and 65,536 zero bytes, and the
// two transparent GIFs of one pixel that web pages and mails load.
var blankHashes = map[string]bool{
	"d41d8cd98f00b204e9800998ecf8427e":                                 true,
	"da39a3ee5e6b4b0d3255bfef95601890afd80709":                         true,
	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855": true,
	"68b329da9893e34099c7d8ad5cb9c940":                                 true,
	"adc83b19e793491b1c6ea0fd8b46cd9f32e592fc":                         true,
	"01ba4719c80b6fe911b091a7c05124b64eeece964e09c058ef8f9805daca546b": true,
	"81051bcc2cf1bedf378224b0a93e2877":                                 true,
	"ba8ab5a0280b953aa97435ff8946cbcbb2755a27":                         true,
	"7eb70257593da06f682a3ddda54a9d260d4fc514f645237f5ca74b08f8da61a6": true,
	"93b885adfe0da089cdf634904fd59f71":                                 true,
	"5ba93c9db0cff93f52b521d7420e43f6eda2784f":                         true,
	"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d": true,
	"bf619eac0cdf3f68d496ea9344137e8b":                                 true,
	"5c3eb80066420002bc3dcc7ca4ab6efad7ed4ae5":                         true,
	"076a27c79e5ace2a3d47f9dd2e83e4ff6ea8872b3c2218f66c92b89b55f36560": true,
	"0f343b0931126a20f133d67c2b018a3b":                                 true,
	"60cacbf3d72e1e7834203da608037b1bf83b40e8":                         true,
	"5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef": true,
	"620f0b67a91f7f74151bc5be745b7110":                                 true,
	"1ceaf73df40e531df3bfb26b4fb7cd95fb7bff1d":                         true,
	"ad7facb2586fc6e966c004d7d1d16b024f5805ff7cb47c7a85dabd8b48892ca7": true,
	"bb7df04e1b0a2570657527a7e108ae23":                                 true,
	"5188431849b4613152fd7bdba6a3ff0a4fd6424b":                         true,
	"c35020473aed1b4642cd726cad727b63fff2824ad68cedd7ffb73c7cbd890479": true,
	"fcd6bcb56c1689fcef28b57c22475bad":                                 true,
	"1adc95bebe9eea8c112d40cd04ab7a8d75c4f961":                         true,
	"de2f256064a0af797747c2b97505dc0b9f3df0de4f489eac731c23ae9ca9cc31": true,
	"d89746888da2d9510b64a9f031eaecd5":                                 true,
	"d5fceb6532643d0d84ffe09c40c481ecdf59e15a":                         true,
	"ef1955ae757c8b966c83248350331bd3a30f658ced11f387f8ebf05ab3368629": true,
	"325472601571f31e1bf00674c368d335":                                 true,
	"2daeaa8b5f19f0bc209d976c02bd6acb51b00b0a":                         true,
	"b1442e85b03bdcaf66dc58c7abb98745dd2687d86350be9a298a1d9382ac849b": true,
}
