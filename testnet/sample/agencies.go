package sample

func denver() Agency {
	return Agency{
		ID:           "denver-pd",
		Name:         "Denver Police Department, Crimes Against Children",
		Jurisdiction: "US-CO",
		Contact:      "Crimes Against Children desk, weekdays 07:00 to 18:00 Mountain Time, +1 303 555 0190",
		Region:       "US",
		Officers: []Officer{
			{Name: "m.okafor", FullName: "Det. Miriam Okafor", Role: "officer"},
			{Name: "r.lindqvist", FullName: "Sgt. Rolf Lindqvist", Role: "supervisor"},
		},
		Cases: []Case{
			{Number: "DPD-2026-0412", Title: "Online contact, walk-in report District 6", Officer: "m.okafor"},
			{Number: "DPD-2026-0587", Title: "Cloud storage account, provider tip", Officer: "m.okafor"},
			{Number: "DPD-2026-0633", Title: "Laptop examined, hash list", Officer: "r.lindqvist"},
			{Number: "DPD-2026-0701", Title: "Payments to a closed forum", Officer: "m.okafor"},
		},
	}
}

func boulder() Agency {
	return Agency{
		ID:           "boulder-so",
		Name:         "Boulder County Sheriff's Office, ICAC Unit",
		Jurisdiction: "US-CO",
		Contact:      "ICAC Unit, duty investigator day and night, +1 720 555 0191",
		Region:       "US",
		Officers: []Officer{
			{Name: "a.tafoya", FullName: "Det. Ana Tafoya", Role: "officer"},
			{Name: "j.brandvold", FullName: "Sgt. June Brandvold", Role: "supervisor"},
		},
		Cases: []Case{
			{Number: "BCSO-26-00318", Title: "Referral from a school resource officer", Officer: "a.tafoya"},
			{Number: "BCSO-26-00344", Title: "Chat service report and subscriber records", Officer: "a.tafoya"},
			{Number: "BCSO-26-00391", Title: "File host closed by its provider, log preserved", Officer: "a.tafoya"},
			{Number: "BCSO-26-00402", Title: "Marketplace seller, payment addresses", Officer: "j.brandvold"},
		},
	}
}

func toronto() Agency {
	return Agency{
		ID:           "toronto-ps",
		Name:         "Toronto Police Service, Child Exploitation Section",
		Jurisdiction: "CA-ON",
		Contact:      "Child Exploitation Section, intake desk 08:00 to 20:00 Eastern Time, +1 416 555 0192",
		Region:       "CA",
		Officers: []Officer{
			{Name: "p.chaudhry", FullName: "Det. Cst. Priya Chaudhry", Role: "officer"},
			{Name: "d.macaulay", FullName: "Det. Sgt. Dougal Macaulay", Role: "supervisor"},
		},
		Cases: []Case{
			{Number: "TPS-2026-18844", Title: "Luring complaint, telephone seized", Officer: "p.chaudhry"},
			{Number: "TPS-2026-19102", Title: "National centre referral, video chat sessions", Officer: "p.chaudhry"},
			{Number: "TPS-2026-19377", Title: "Hard drive examined, joint project", Officer: "d.macaulay"},
			{Number: "TPS-2026-19510", Title: "Virtual currency exchange report", Officer: "p.chaudhry"},
			{Number: "TPS-2026-19688", Title: "Public tip, building game tournament", Officer: "d.macaulay"},
		},
	}
}
