package sample

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	dPhone   = "denver-pd DPD-2026-0412"
	dCloud   = "denver-pd DPD-2026-0587"
	dLaptop  = "denver-pd DPD-2026-0633"
	dForum   = "denver-pd DPD-2026-0701"
	bCoach   = "boulder-so BCSO-26-00318"
	bChat    = "boulder-so BCSO-26-00344"
	bHost    = "boulder-so BCSO-26-00391"
	bSeller  = "boulder-so BCSO-26-00402"
	tPhone   = "toronto-ps TPS-2026-18844"
	tVideo   = "toronto-ps TPS-2026-19102"
	tDrive   = "toronto-ps TPS-2026-19377"
	tPayment = "toronto-ps TPS-2026-19510"
)

// countedByHand are the alerts, own case first, with the number of identifiers
// that each carries.
var countedByHand = map[[2]string]int{
	{dPhone, bSeller}:  1, // the account that is in two Denver cases
	{dPhone, tPhone}:   2,
	{dPhone, tVideo}:   1,
	{dCloud, bCoach}:   1,
	{dCloud, bChat}:    2,
	{dLaptop, bChat}:   1, // the mailbox that all three hold
	{dLaptop, bHost}:   1,
	{dLaptop, tPhone}:  1, // that mailbox
	{dLaptop, tDrive}:  1,
	{dForum, bHost}:    1, // the account that all three hold
	{dForum, bSeller}:  1, // only here: Denver announced it under its first case
	{dForum, tPayment}: 3,

	{bCoach, dCloud}:    1,
	{bCoach, tVideo}:    1,
	{bChat, dCloud}:     2,
	{bChat, dLaptop}:    1,
	{bChat, tPhone}:     1,
	{bHost, dLaptop}:    1,
	{bHost, dForum}:     1,
	{bHost, tDrive}:     2,
	{bHost, tPayment}:   1,
	{bSeller, dPhone}:   1,
	{bSeller, tPayment}: 1,

	{tPhone, dPhone}:    2,
	{tPhone, dLaptop}:   1,
	{tPhone, bChat}:     1,
	{tVideo, dPhone}:    1,
	{tVideo, bCoach}:    1,
	{tDrive, dLaptop}:   1,
	{tDrive, bHost}:     2,
	{tPayment, dForum}:  3,
	{tPayment, bHost}:   1,
	{tPayment, bSeller}: 1,
}

func TestTheExpectedAlertsAreThoseCountedByHand(t *testing.T) {
	got := make(map[[2]string]int)
	for _, e := range ExpectedAlerts() {
		pair := [2]string{e.Agency + " " + e.Case, e.OtherAgency + " " + e.OtherCase}
		if got[pair] > 0 {
			t.Errorf("the alert %v is expected twice", pair)
		}
		got[pair] = len(e.Identifiers)
	}
	if diff := cmp.Diff(countedByHand, got); diff != "" {
		t.Errorf("counted by hand (-) and derived from shared.json (+):\n%s", diff)
	}
}

func TestAnIdentifierInTwoCasesIsAnnouncedUnderTheFirst(t *testing.T) {
	const account = "snapchat:birch_walk_0419"
	var got []Expected
	for _, e := range ExpectedAlerts() {
		for _, value := range e.Identifiers {
			if value == account {
				got = append(got, e)
			}
		}
	}
	want := []Expected{
		{"denver-pd", "DPD-2026-0412", "boulder-so", "BCSO-26-00402", []string{account}},
		{"denver-pd", "DPD-2026-0701", "boulder-so", "BCSO-26-00402", []string{account}},
		{"boulder-so", "BCSO-26-00402", "denver-pd", "DPD-2026-0412", []string{account}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want (-), got (+):\n%s", diff)
	}
}
