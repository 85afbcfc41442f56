package main

import (
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"interlock/node/certificate"
)

type auditCertificateCmd struct {
	File    string `arg:"" type:"existingfile" help:"The certificate, as the case's page gave it."`
	Network string `required:"" type:"path" help:"The network file of the agency, or from the founding."`
}

func (c auditCertificateCmd) Run(out io.Writer) error {
	network, err := readNetwork(c.Network)
	if err != nil {
		return err
	}
	b, err := os.ReadFile(c.File)
	if err != nil {
		return err
	}
	cert, err := certificate.Read(b)
	if err != nil {
		return err
	}
	compared, missing, err := cert.Verify(network)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "Case %s of %s, as of %s:\n", cert.Case, cert.Agency, cert.Made.Format(time.RFC3339))
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	for _, m := range compared {
		fmt.Fprintf(w, "%s\thas compared everything, and signed it at %s\n", m.Agency.ID, m.At.Format(time.RFC3339))
	}
	for _, id := range missing {
		fmt.Fprintf(w, "%s\tis missing\n", id)
	}
	return w.Flush()
}
