package settings

import (
	"strings"
	"testing"
)

type sample struct {
	Name string `toml:"name"`
	Web  struct {
		Port int `toml:"port"`
	} `toml:"web"`
}

func TestAFaultNamesItsLineAndKey(t *testing.T) {
	tests := []struct{ name, file, want string }{
		{"unknown key", "name = 'x'\nnmae = 'y'", `line 2: unknown key "nmae"`},
		{"unknown key in a table", "[web]\nport = 1\nprot = 2", `line 3: unknown key "web.prot"`},
		{"wrong type", "name = 'x'\n[web]\nport = 'eighty'", "line 3: "},
		{"not TOML", "name = ", "line 1: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var s sample
			if err := Decode([]byte(tt.file), &s); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Decode = %v, want %q in it", err, tt.want)
			}
		})
	}
}

func TestWhatIsWrittenReadsBack(t *testing.T) {
	want := sample{Name: "x"}
	want.Web.Port = 80
	b, err := Encode(want)
	if err != nil {
		t.Fatal(err)
	}
	var got sample
	if err := Decode(b, &got); err != nil || got != want {
		t.Errorf("read back %+v, %v; want %+v", got, err, want)
	}
}
