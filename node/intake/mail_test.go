package intake

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOfTheServersOfAMailOnlyAddressesAreTaken(t *testing.T) {
	mail := "Received: from mail.example.net (mail.example.net [24.114.32.9]) by mx.example.org (Postfix 3.4.5.6) with ESMTP id 15.1.2.3\n for <jo@example.org>\nX-Originating-IP: [24.114.32.10]\nX-Mailer: Thing 1.2.3.4 mailer.example.com\nDKIM-Signature: v=1; d=example.com; b=abc@example.net\nFrom: \"a@example.org\" <b@example.org>\n\nno body\n"
	want := []string{"1 ip 24.114.32.9", "2 email jo@example.org", "3 ip 24.114.32.10", "6 email a@example.org", "6 email b@example.org"}
	if diff := cmp.Diff(want, lines(read(t, "a.eml", mail, "US"))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// mixed writes a mail of several parts, each with its head.
func mixed(parts ...string) string {
	return "From: a@example.org\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n" + strings.Join(parts, "\n--b\n") + "\n--b--\n"
}

func TestAttachmentsAreReadOrTheirHashTaken(t *testing.T) {
	jpeg := []byte("\xff\xd8\xff\xe0 picture")
	picture := base64.StdEncoding.EncodeToString(jpeg)
	mail := mixed(
		"Content-Type: application/octet-stream; name=log.txt\n\n8.8.8.8",
		"Content-Type: text/csv; name=a.csv\n\nphone,name\nbad,Jo\n416-555-0142,Al",
		"Content-Type: image/jpeg\nContent-Disposition: attachment; filename=p.jpg\nContent-Transfer-Encoding: base64\n\n"+picture,
		"Content-Type: image/jpeg\nContent-Disposition: inline; filename=logo.jpg\nContent-Transfer-Encoding: base64\n\n"+picture,
		"Content-Type: application/pgp-signature; name=signature.asc\n\nabc",
	)
	want := []string{
		"1 email a@example.org", "8 ip 8.8.8.8", "14 phone +14165550142",
		fmt.Sprintf("20 sha256 %x", sha256.Sum256(jpeg)),
		"13 ! In the attached table: In the column \"phone\": This is not a complete telephone number; write it with its country code, such as +1 416 555 0142.",
		"20 ! The attachment p.jpg was not read; its SHA-256 was taken.",
	}
	if diff := cmp.Diff(want, lines(read(t, "a.eml", mail, "US"))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTheTwoFormsOfAMailAreReadOnce(t *testing.T) {
	mail := "From: a@example.org\nMIME-Version: 1.0\nContent-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain\n\nsee b@example.org\n--b\nContent-Type: text/html\n\n<p>see\n<a href=\"mailto:b@example.org\">b@example.org</a> or <a href='https://example.net/x?y=1&amp;z=2'>this</a>\n<style>c@example.org</style><script>d@example.org</script></p>\n--b--\n"
	want := []string{"1 email a@example.org", "8 email b@example.org", "13 url https://example.net/x?y=1&z=2"}
	if diff := cmp.Diff(want, lines(read(t, "a.eml", mail, "US"))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWhatIsFoundInAnEncodedPartHasThePartsLine(t *testing.T) {
	body := base64.StdEncoding.EncodeToString([]byte("one\ntwo b@example.org\nthree\n"))
	mail := mixed("Content-Type: text/plain\n\nx c@example.org", "Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\n"+body)
	want := []string{"1 email a@example.org", "8 email c@example.org", "13 email b@example.org"}
	if diff := cmp.Diff(want, lines(read(t, "a.eml", mail, "US"))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestMailsInsideMailsAreReadToADepth(t *testing.T) {
	mail := "From: last@example.org\n\nx\n"
	for i := range maxDepth + 1 {
		mail = fmt.Sprintf("From: m%d@example.org\nContent-Type: message/rfc822\n\n%s", i, mail)
	}
	report := read(t, "a.eml", mail, "US")
	if got, want := len(report.Items), maxDepth+1; got != want {
		t.Errorf("got %d mails, want %d", got, want)
	}
	if len(report.Problems) != 1 || !strings.Contains(report.Problems[0].Sentence, "inside one another") {
		t.Errorf("got problems %v", report.Problems)
	}
}

func TestAMailOfTooManyPartsIsReadAsText(t *testing.T) {
	var mail strings.Builder
	mail.WriteString("From: a@example.org\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b0\n\n")
	for i := range 2 * maxBoundaries {
		fmt.Fprintf(&mail, "--b%d\nContent-Type: multipart/mixed; boundary=b%d\n\n", i, i+1)
	}
	mail.WriteString("--x\n\nb@example.org\n")
	report := read(t, "a.eml", mail.String(), "US")
	if len(report.Problems) != 1 || len(report.Items) != 2 {
		t.Errorf("got %v", lines(report))
	}
}
