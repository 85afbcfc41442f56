package identifier

import "strings"

// platform is a service whose accounts have handles.
type platform struct {
	name  string   // the first part of an account's value
	words []string // how people call it, lower case
	// everyday tells that the words mean other things too, so that a label such as "username" must follow.
	everyday bool
	hosts    []string // where profiles are, without "www."
	// paths are the places of profiles at those hosts: {} stands for the handle, and "/*" at the end for anything
	// that may follow.
	paths    []string
	reserved string // first parts of a path that are no handles, between blanks
	shape    shape
}

// shape is the form that a platform gives handles. It decides in free text; a field that is known to hold an account
// may hold what the platform gave out under older rules.
type shape struct {
	min, max int
	marks    string // allowed beside ASCII letters and digits
	exact    bool   // the platform tells upper from lower case
	digits   bool   // digits only
}

// platforms are the services that are recognised in text and links.
var platforms = []platform{
	{name: "bluesky", words: []string{"bluesky", "bsky"}, hosts: []string{"bsky.app"}, paths: []string{"/profile/{}/*"}, shape: shape{min: 3, max: 63, marks: ".-"}},
	{name: "cashapp", words: []string{"cashapp", "cashtag"}, hosts: []string{"cash.app"}, paths: []string{"/${}"}, shape: shape{min: 1, max: 20, marks: "_-"}},
	{name: "discord", words: []string{"discord"}, hosts: []string{"discord.com", "discordapp.com"}, paths: []string{"/users/{}"}, shape: shape{min: 2, max: 32, marks: "._"}},
	{name: "facebook", words: []string{"facebook", "fb"}, hosts: []string{"facebook.com", "fb.com", "m.me"}, paths: []string{"/profile.php?id={}", "/{}/*"},
		reserved: " groups events watch marketplace pages people sharer dialog login help policies business gaming ads hashtag public search messages notifications settings reel reels stories share plugins tr legal privacy media story photo photos video videos home friends ",
		shape:    shape{min: 5, max: 50, marks: "."}},
	{name: "flickr", words: []string{"flickr"}, hosts: []string{"flickr.com"}, paths: []string{"/people/{}/*", "/photos/{}/*"}, reserved: " tags search upload explore ", shape: shape{min: 2, max: 40, marks: "@_-"}},
	{name: "github", words: []string{"github"}, hosts: []string{"github.com"}, paths: []string{"/{}"}, reserved: " login join about features pricing explore topics marketplace sponsors settings search orgs ", shape: shape{min: 1, max: 39, marks: "-"}},
	{name: "icq", words: []string{"icq"}, shape: shape{min: 5, max: 10, digits: true}},
	{name: "instagram", words: []string{"instagram", "insta", "ig"}, hosts: []string{"instagram.com", "instagr.am"}, paths: []string{"/stories/{}/*", "/{}/*"},
		reserved: " p reel reels tv explore accounts about direct developer legal stories s share web challenge ", shape: shape{min: 1, max: 30, marks: "._"}},
	{name: "kik", words: []string{"kik"}, hosts: []string{"kik.me"}, paths: []string{"/{}"}, reserved: " g ", shape: shape{min: 2, max: 30, marks: "._"}},
	{name: "line", words: []string{"line"}, everyday: true, hosts: []string{"line.me"}, paths: []string{"/ti/p/~{}", "/R/ti/p/~{}"}, shape: shape{min: 4, max: 20, marks: "._-"}},
	{name: "linkedin", words: []string{"linkedin"}, hosts: []string{"linkedin.com"}, paths: []string{"/in/{}/*"}, shape: shape{min: 3, max: 100, marks: "-"}},
	{name: "mastodon", words: []string{"mastodon"}, shape: shape{min: 3, max: 64, marks: "_.-@"}},
	{name: "matrix", words: []string{"matrix"}, everyday: true, shape: shape{min: 4, max: 64, marks: "._=-:"}},
	{name: "medium", words: []string{"medium"}, everyday: true, hosts: []string{"medium.com"}, paths: []string{"/@{}/*"}, shape: shape{min: 1, max: 30, marks: "._"}},
	{name: "minecraft", words: []string{"minecraft"}, shape: shape{min: 3, max: 16, marks: "_"}},
	{name: "odnoklassniki", hosts: []string{"ok.ru"}, paths: []string{"/profile/{}"}, shape: shape{min: 5, max: 15, digits: true}},
	{name: "onlyfans", words: []string{"onlyfans"}, hosts: []string{"onlyfans.com"}, paths: []string{"/{}"}, reserved: " my help posts terms privacy about ", shape: shape{min: 4, max: 30, marks: "._-"}},
	{name: "paypal", words: []string{"paypal.me", "paypalme"}, hosts: []string{"paypal.me", "paypal.com"}, paths: []string{"/paypalme/{}/*", "/{}"},
		reserved: " paypalme us uk signin home webapps myaccount cgi-bin invoice donate businessmanage ", shape: shape{min: 1, max: 20}},
	{name: "pinterest", words: []string{"pinterest"}, hosts: []string{"pinterest.com"}, paths: []string{"/{}"}, reserved: " pin search ideas explore today login settings ", shape: shape{min: 3, max: 30, marks: "_"}},
	{name: "psn", words: []string{"psn", "playstation"}, shape: shape{min: 3, max: 16, marks: "_-"}},
	{name: "qq", words: []string{"qq"}, shape: shape{min: 5, max: 11, digits: true}},
	{name: "reddit", words: []string{"reddit"}, hosts: []string{"reddit.com", "old.reddit.com", "new.reddit.com"}, paths: []string{"/user/{}/*", "/u/{}/*"}, shape: shape{min: 3, max: 20, marks: "_-"}},
	{name: "roblox", words: []string{"roblox"}, hosts: []string{"roblox.com"}, paths: []string{"/users/{}/*"}, shape: shape{min: 3, max: 20, marks: "_"}},
	{name: "session", words: []string{"session"}, everyday: true, shape: shape{min: 66, max: 66}},
	{name: "signal", words: []string{"signal"}, everyday: true, shape: shape{min: 5, max: 35, marks: "._"}},
	{name: "skype", words: []string{"skype"}, shape: shape{min: 6, max: 40, marks: ".,_-:"}},
	{name: "snapchat", words: []string{"snapchat", "snap", "sc"}, hosts: []string{"snapchat.com"}, paths: []string{"/add/{}/*", "/@{}/*"}, shape: shape{min: 3, max: 15, marks: "._-"}},
	{name: "soundcloud", words: []string{"soundcloud"}, hosts: []string{"soundcloud.com"}, paths: []string{"/{}"}, reserved: " discover stream search upload you pages charts ", shape: shape{min: 3, max: 25, marks: "_-"}},
	{name: "steam", words: []string{"steam"}, everyday: true, hosts: []string{"steamcommunity.com"}, paths: []string{"/id/{}/*", "/profiles/{}/*"}, shape: shape{min: 2, max: 32, marks: "_-"}},
	{name: "telegram", words: []string{"telegram", "tg"}, hosts: []string{"t.me", "telegram.me", "telegram.dog"}, paths: []string{"/s/{}/*", "/{}/*"},
		reserved: " joinchat addstickers addemoji addtheme addlist share proxy socks setlanguage c s iv bg login confirmphone boost giftcode m contact invoice ", shape: shape{min: 4, max: 32, marks: "_"}},
	{name: "threads", words: []string{"threads"}, everyday: true, hosts: []string{"threads.net", "threads.com"}, paths: []string{"/@{}/*"}, shape: shape{min: 1, max: 30, marks: "._"}},
	{name: "threema", words: []string{"threema"}, shape: shape{min: 8, max: 8, exact: true}},
	{name: "tiktok", words: []string{"tiktok"}, hosts: []string{"tiktok.com"}, paths: []string{"/@{}/*"}, shape: shape{min: 2, max: 24, marks: "._"}},
	{name: "tumblr", words: []string{"tumblr"}, hosts: []string{"tumblr.com"}, paths: []string{"/{}"}, reserved: " login register explore tagged search about policy dashboard ", shape: shape{min: 1, max: 32, marks: "-"}},
	{name: "twitch", words: []string{"twitch"}, hosts: []string{"twitch.tv"}, paths: []string{"/{}"}, reserved: " directory videos p downloads jobs settings subscriptions search turbo store ", shape: shape{min: 4, max: 25, marks: "_"}},
	{name: "twitter", words: []string{"twitter", "x"}, hosts: []string{"twitter.com", "x.com"}, paths: []string{"/{}/*"},
		reserved: " i intent home search hashtag share explore settings login signup tos privacy about compose messages notifications download jobs who_to_follow account oauth ", shape: shape{min: 1, max: 15, marks: "_"}},
	{name: "venmo", words: []string{"venmo"}, hosts: []string{"venmo.com", "account.venmo.com"}, paths: []string{"/u/{}", "/{}"}, reserved: " u about legal signup code ", shape: shape{min: 5, max: 30, marks: "_-"}},
	{name: "vk", words: []string{"vk", "vkontakte"}, hosts: []string{"vk.com", "vk.ru"}, paths: []string{"/{}"}, reserved: " feed im friends groups video videos login search away.php share.php ", shape: shape{min: 3, max: 32, marks: "._"}},
	{name: "wechat", words: []string{"wechat", "weixin"}, shape: shape{min: 6, max: 20, marks: "_-"}},
	{name: "wickr", words: []string{"wickr", "wickrme"}, shape: shape{min: 3, max: 32, marks: "._-"}},
	{name: "wire", words: []string{"wire"}, everyday: true, shape: shape{min: 2, max: 32, marks: "._-"}},
	{name: "xbox", words: []string{"xbox", "gamertag"}, shape: shape{min: 3, max: 20, marks: "#"}},
	{name: "youtube", words: []string{"youtube", "yt"}, hosts: []string{"youtube.com"}, paths: []string{"/@{}/*", "/channel/{}/*", "/user/{}/*", "/c/{}/*"}, shape: shape{min: 3, max: 30, marks: "._-"}},
}

// platformsByWord and platformsByHost are tables over platforms, never changed.
var platformsByWord, platformsByHost = platformTables()

func platformTables() (byWord, byHost map[string]*platform) {
	byWord, byHost = make(map[string]*platform), make(map[string]*platform)
	for i := range platforms {
		p := &platforms[i]
		byWord[p.name] = p
		for _, word := range p.words {
			byWord[word] = p
		}
		for _, host := range p.hosts {
			byHost[host] = p
		}
	}
	return byWord, byHost
}

// fits reports whether a handle in plain characters has the platform's form.
func (p *platform) fits(handle string) bool {
	if p.name == "discord" && isDiscordTag(handle) {
		return true
	}
	if len(handle) < p.shape.min || len(handle) > p.shape.max {
		return false
	}
	if p.shape.digits {
		return allOf(handle, isDigit)
	}
	if strings.IndexByte(p.shape.marks, handle[0]) >= 0 && handle[0] != '_' {
		return false
	}
	return allOf(handle, func(c byte) bool { return isAlnum(c) || strings.IndexByte(p.shape.marks, c) >= 0 })
}

// isDiscordTag accepts Discord's handles of before 2023: a name and four digits.
func isDiscordTag(handle string) bool {
	name, number, found := strings.Cut(handle, "#")
	return found && len(number) == 4 && allOf(number, isDigit) && len(name) >= 2 && len(name) <= 32
}

// profile finds the account whose page a canonical URL is.
func profile(canonical string) (*platform, string, bool) {
	_, rest, _ := strings.Cut(canonical, "://")
	host, path, _ := strings.Cut(rest, "/")
	for _, prefix := range []string{"www.", "m.", "mobile.", "web."} {
		if rest, ok := strings.CutPrefix(host, prefix); ok && strings.Contains(rest, ".") {
			host = rest
		}
	}
	p := platformsByHost[host]
	if p == nil {
		return nil, "", false
	}
	for _, pattern := range p.paths {
		handle, ok := matchPath("/"+path, pattern)
		if ok && p.isHandleInPath(handle) {
			return p, handle, true
		}
	}
	return nil, "", false
}

func (p *platform) isHandleInPath(handle string) bool {
	longID := p.name == "youtube" && len(handle) == 24 && strings.HasPrefix(handle, "UC")
	return (p.fits(handle) || longID) && !strings.HasSuffix(handle, ".php") &&
		!strings.Contains(p.reserved, " "+strings.ToLower(handle)+" ")
}

// matchPath matches a path against a pattern of platform.paths and returns what stands for {}.
func matchPath(path, pattern string) (handle string, ok bool) {
	before, after, _ := strings.Cut(pattern, "{}")
	rest, ok := strings.CutPrefix(path, before)
	if !ok {
		return "", false
	}
	end := strings.IndexAny(rest, "/?&")
	if end < 0 {
		return rest, rest != ""
	}
	tail := rest[end:]
	return rest[:end], end > 0 && (after == "/*" || tail == "/" || tail[0] == '?' || strings.HasPrefix(tail, "/?") || tail[0] == '&')
}

// PlatformNamed returns the name that accounts on a platform have in front, given how somebody calls the platform in
// one word: "insta" gives "instagram". Words that mean other things too, such as "line", name none.
func PlatformNamed(word string) (name string, ok bool) {
	p := platformsByWord[strings.ToLower(word)]
	if p == nil || p.everyday || len(word) < 2 {
		return "", false
	}
	return p.name, true
}
