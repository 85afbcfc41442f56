package identifier

import (
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// Region is a country or territory as ISO 3166-1 alpha-2 writes it, such as CA. It is the agency's own: telephone
// numbers written without a country code are numbers of this region.
type Region string

// RefusedRegion is the answer to a region that is not one.
const RefusedRegion Refusal = "The region must be a two-letter country code, such as US, CA or GB."

// ParseRegion reads a two-letter country code in either case. It knows the regions that have telephone numbers.
func ParseRegion(name string) (Region, error) {
	code := strings.ToUpper(strings.TrimSpace(name))
	if !phonenumbers.GetSupportedRegions()[code] {
		return "", RefusedRegion
	}
	return Region(code), nil
}
