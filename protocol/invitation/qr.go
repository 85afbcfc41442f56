package invitation

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"strings"

	"github.com/boombuler/barcode"
	"github.com/boombuler/barcode/qr"
)

const (
	// MaxQR is how many alphanumeric characters the largest QR code holds
	// (ISO/IEC 18004, table 7, version 40-L).
	MaxQR = 4_296

	quiet  = 4 // modules of white around a code (section 6.3.8)
	pixels = 6 // of a module's side in an image

	// characters of the alphanumeric mode (table 5)
	characters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
)

// Errors of QR and Terminal.
var (
	ErrQRLength     = fmt.Errorf("a QR code holds at most %d characters: hand over the text instead", MaxQR)
	ErrQRCharacters = errors.New("text for a QR code: want digits, capital letters, spaces and $%*+-./: alone")
)

// QR returns text as a QR code, a PNG image. The code stands a little damage
// (level M) where that fits, and else less (level L).
func QR(text string) ([]byte, error) {
	code, err := encode(text)
	if err != nil {
		return nil, err
	}
	side := (code.Bounds().Dx() + 2*quiet) * pixels
	picture := image.NewPaletted(image.Rect(0, 0, side, side), color.Palette{color.White, color.Black})
	for y := range side {
		for x := range side {
			if dark(code, x/pixels-quiet, y/pixels-quiet) {
				picture.SetColorIndex(x, y, 1)
			}
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, picture); err != nil {
		return nil, fmt.Errorf("draw QR code: %w", err)
	}
	return b.Bytes(), nil
}

// Terminal returns text as a QR code in lines of block characters, two rows of
// modules a line. What is white in the code is drawn, for terminals that write
// light on dark; on others the code is inverted, which most cameras read too.
func Terminal(text string) (string, error) {
	code, err := encode(text)
	if err != nil {
		return "", err
	}
	end := code.Bounds().Dx() + quiet
	var b strings.Builder
	for y := -quiet; y < end; y += 2 {
		for x := -quiet; x < end; x++ {
			below := y+1 < end && !dark(code, x, y+1)
			switch above := !dark(code, x, y); {
			case above && below:
				b.WriteRune('█')
			case above:
				b.WriteRune('▀')
			case below:
				b.WriteRune('▄')
			default:
				b.WriteRune(' ')
			}
		}
		b.WriteByte('\n')
	}
	return b.String(), nil
}

// encode returns a QR code, a module a point. The library's errors repeat the
// text, which is a secret: they stay here.
func encode(text string) (barcode.Barcode, error) {
	if text == "" || strings.Trim(text, characters) != "" {
		return nil, ErrQRCharacters
	}
	for _, level := range []qr.ErrorCorrectionLevel{qr.M, qr.L} {
		if code, err := qr.Encode(text, level, qr.AlphaNumeric); err == nil {
			return code, nil
		}
	}
	return nil, ErrQRLength
}

// dark reports whether a module is black; around the code none is.
func dark(code barcode.Barcode, x, y int) bool {
	if !image.Pt(x, y).In(code.Bounds()) {
		return false
	}
	grey, _, _, _ := code.At(x, y).RGBA()
	return grey == 0
}
