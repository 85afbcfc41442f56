package identifier

import "strings"

// Top-level domains by what else their letters mean in running text. Those that are in no list are countries and
// others whose letters mean nothing else.
var (
	// plainTops are accepted as they stand.
	plainTops = set(`com net org edu gov mil int info biz onion xyz online shop club website icu blog agency porn xxx adult
		webcam tube dating singles tokyo berlin london nyc moscow asia eu mobi pro`)
	// wordTops are words of a sentence that lost its blank: "we went home.it was late".
	wordTops = set(`it is in at to me my no so as be by am us do id la an im gg mr name call secure style date select open now
		page run`)
	// fileTops are the endings of files: whole names ending in them are files unless something says otherwise.
	fileTops = set(`py md sh rs zip mov ps so pm mm tf mk ml cab inc dot foo bar java data prof pub target`)
	// softFileTops are endings of files and well used domains both.
	softFileTops = set(`cc pl ai st vi ac app pro box docs`)
)

// siteWords stand before or after a name of a site.
var siteWords = set(`at to on from via visit visited visits visiting site sites website websites web domain domains host hosts hosted
	hostname server servers url urls link links page forum forums board blog portal called browse browsed browsing used uses using
	use through into www onto open opened register registered registrar dns resolve resolves resolved lookup whois nameserver ns mx`)

// clearSiteWords are those of siteWords that speak of nothing but sites.
var clearSiteWords = set(`visit visited visits visiting site sites website websites domain domains host hosts hosted hostname server
	servers url urls link links forum forums registered resolve resolves resolved lookup whois nameserver ns mx`)

// fileWords stand before a name of a file.
var fileWords = set(`file files filename filenames script attachment attachments attached named renamed saved folder directory perl
	python bash run ran execute executed compile compiled import module package class library app bundle archive video movie clip
	image photo picture installer`)

// codeWords are the first parts of expressions in programs: user.email, this.name.
var codeWords = set(`this self user users obj object item items data node event window document config conf cfg req res request
	response foo bar baz page element el elem ctx context args params props state model row rows module process console math system
	os sys path string array json http https app my client server session account order file files message msg msgs chat record
	entry result results value values key map list com org net io e i`)

// chatWords end the sentences of chats, where the blank before the next one is often missing.
var chatWords = set(`ok okay k kk lol lmao haha hahaha yes yeah yep yea ya no nah nope hi hey hello bye cya idk omg wtf thx thanks ty
	sure cool nice well right stop wait really fine good great sorry pls please home here there now later tonight tomorrow today him
	her it me you us them too though tho then so what who why how when maybe done babe bro dude man girl boy wow damn true same`)

// packageHeads begin the names of packages, which are domain names turned round: com.example.app.
var packageHeads = set(`com org net edu gov io dev android androidx java javax kotlin jp`)

// productNames look like host names and are called so in prose.
var productNames = set(`asp.net ado.net vb.net paint.net socket.io draw.io`)

// shortHosts are the short names of well-known services, under tops that are words.
var shortHosts = set(`t.me wa.me m.me telegram.me paypal.me kik.me about.me ask.fm is.gd redd.it youtu.be instagr.am line.me
	anon.to catbox.moe x.com t.co g.co vk.me ok.me on.fb.me join.me yandex.st linktr.ee`)

// isName decides whether a registered name in running text is meant as one. Reading a.b in prose or code wrongly costs
// a false alert at another agency, so a name whose top level means something else too needs a sign that it is one.
func (s *scan) isName(start, end int, name string, hasPath bool) bool {
	before, top := cutLast(name)
	_, owner := cutLast(before)
	labels := strings.Count(name, ".") + 1
	head, _, _ := strings.Cut(name, ".")
	switch {
	case head == "www" && labels > 2, shortHosts[name], platformsByHost[name] != nil:
		return true
	case endsInTitle(s.text[start:end]), productNames[name], len(owner) == 1 && labels == 2 && !hasPath && top != "com":
		return false
	case plainTops[top]:
		return true
	case packageHeads[head] && labels > 2, isVersionLike(before), isMixed(s.text[start:end]), labels > 2 && fileEndings[owner]:
		return false
	case fileTops[top]:
		return s.isSiteDespiteFile(start, name)
	case softFileTops[top]:
		return hasPath || labels > 2 || !s.isLikelyFile(start, end, owner)
	case wordTops[top]:
		return s.isSiteDespiteWord(start, end, name, hasPath)
	case len(top) > 2 && !strings.HasPrefix(top, "xn--"):
		return s.isSiteUnderNewTop(start, end, name, hasPath)
	}
	return true
}

// isSiteDespiteFile accepts names with endings of files where the whole suffix is a registry's (gov.rs), or where
// somebody speaks of a site.
func (s *scan) isSiteDespiteFile(start int, name string) bool {
	suffix := publicSuffix(name)
	return strings.Contains(suffix, ".") || len(suffix) == 2 && suffix != "py" && suffix != "md" && suffix != "sh" && anyOf(s.wordsBefore(start, 1), clearSiteWords)
}

// isLikelyFile reports a name with an ending of files that is spoken of, or written, as one: Safari.app, script.pl.
func (s *scan) isLikelyFile(start, end int, owner string) bool {
	written := s.text[start:end]
	capital := written != strings.ToLower(written) && written != strings.ToUpper(written)
	return capital || fileWords[owner] || codeWords[owner] || anyOf(s.wordsBefore(start, 1), fileWords) || s.isAmongFiles(start, end)
}

// fileEndings are endings of files that are no top-level domains.
var fileEndings = set(`jpg jpeg png gif bmp webp heic heif tif tiff mp4 m4v avi mkv wmv flv 3gp webm mp3 wav m4a aac ogg pdf doc docx
	xls xlsx ppt pptx txt rtf csv tsv json xml html htm css js ts exe dll msi apk ipa dmg iso gz tar tgz rar 7z bz2 xz log dat db sqlite
	plist bak tmp cfg ini conf yml yaml toml bat cmd vbs c cpp h hpp java class jar go rb php swift kt psd eml msg mbox vcf ics key pem`)

// isAmongFiles reports a name in a list of files: the word before or after it has the ending of a file.
func (s *scan) isAmongFiles(start, end int) bool {
	before := strings.TrimRight(s.text[max(0, start-window):start], " ,;\"'(")
	before = before[strings.LastIndexByte(before, '.')+1:]
	after := strings.TrimLeft(s.text[end:min(len(s.text), end+window)], " ,;\"')")
	after, _, _ = strings.Cut(after, " ")
	after = strings.TrimRight(after, ",;.\"')")
	return fileEndings[strings.ToLower(before)] || fileEndings[strings.ToLower(after[strings.LastIndexByte(after, '.')+1:])]
}

// isSpokenOf reports that the words around a name speak of a site.
func (s *scan) isSpokenOf(start, end int) bool {
	after, _ := s.wordAfter(end)
	return anyOf(s.wordsBefore(start, 1), siteWords) || after == "site" || after == "website" || after == "domain" || after == "forum" || after == "server"
}

// isAlone reports a name that is all there is on its line or between quotes.
func (s *scan) isAlone(start, end int) bool {
	if strings.Trim(s.text[:start], " \t\"'<(*-") == "" && strings.Trim(s.text[end:], " \t\"'>),;.") == "" {
		return true
	}
	quote := s.at(start - 1)
	return (quote == '"' || quote == '\'' || quote == '<' || quote == '`') && (s.at(end) == quote || quote == '<' && s.at(end) == '>')
}

// isSiteDespiteWord accepts names under tops that are words, when they cannot be the end of one sentence and the start
// of the next.
func (s *scan) isSiteDespiteWord(start, end int, name string, hasPath bool) bool {
	suffix := publicSuffix(name)
	before := name[:len(name)-len(suffix)-1]
	if strings.ContainsAny(before, ".-0123456789") || strings.Contains(suffix, ".") || strings.HasPrefix(before, "xn--") {
		return !isCode(before)
	}
	if isCode(before) || chatWords[before] {
		return false
	}
	return s.isAlone(start, end) || anyOf(s.wordsBefore(start, 1), clearSiteWords) || hasPath && !notHandles[before]
}

// isCode reports a name that begins as an expression of a program does.
func isCode(before string) bool {
	head, _, _ := strings.Cut(before, ".")
	return codeWords[head]
}

// isSiteUnderNewTop accepts names under the many words that became top-level domains, unless they stand in the
// middle of a sentence that lost a blank, or in a program.
func (s *scan) isSiteUnderNewTop(start, end int, name string, hasPath bool) bool {
	before, _ := cutLast(name)
	if isCode(before) || notHandles[before] || chatWords[before] {
		return false
	}
	if hasPath || strings.ContainsAny(before, ".-0123456789") || s.isAlone(start, end) || s.isSpokenOf(start, end) {
		return true
	}
	word, blank := s.wordAfter(end)
	if blank && word != "" && word != "and" && word != "or" && len(s.wordsBefore(start, 1)) > 0 {
		return false
	}
	return s.at(end) != '=' && s.at(end) != ';' && s.at(end) != '['
}

// isMixed reports capitals where nobody writes them in a name: in the middle of it, as the expressions of programs do
// (Borders.Top), or in its top level alone, as chance does.
func isMixed(written string) bool {
	before, top := cutLast(written)
	if top != strings.ToLower(top) && top == strings.ToUpper(top) {
		return before != strings.ToUpper(before)
	}
	inner := func(c byte) bool { return c < 'A' || c > 'Z' }
	return top != strings.ToLower(top) || len(top) > 2 && !allOf(before[1:], inner)
}

// endsInTitle reports a capital at the start of the last label only, as in the name of a program's type: transport.Net.
func endsInTitle(written string) bool {
	before, top := cutLast(written)
	_, owner := cutLast(before)
	return isTitle(top) && !isTitle(owner)
}

// isVersionLike reports the front of a file or package name, all numbers: 2.0.1.
func isVersionLike(before string) bool {
	return allOf(before, func(c byte) bool { return isDigit(c) || c == '.' })
}
