package docs_test

import (
	"flag"
	"path/filepath"
	"testing"

	"reltio-token-rotator/tests/harness/svg"
)

var draw = flag.Bool("draw", false, "write the pictures and do not compare them")

// The picture of who calls whom is what is drawn here. An arrow goes from the
// caller; where something is written too, it has two tips.
func TestPicturesAreCurrent(t *testing.T) {
	p := svg.New(840, 400, "EventBridge Scheduler starts the function every minute. The function reads what is due from Parameter Store, "+
		"reads the credentials secret, requests a token from Reltio, and publishes it in the token secret. "+
		"Jobs read the token secret and call Reltio's API with the token.")
	p.Rect(svg.Frame, 15, 15, 490, 370)
	p.TextFrom(svg.Small, 25, 34, "AWS account")
	p.Rect(svg.Frame, 662, 130, 163, 255)
	p.TextFrom(svg.Small, 672, 149, "Reltio")

	p.Named(svg.Box, 255, 28, 170, 60, "Parameter Store", "config, state, lease")
	p.Named(svg.Box, 28, 160, 132, 60, "Scheduler", "EventBridge")
	p.Named(svg.Main, 265, 160, 150, 60, "Function", "Lambda")
	p.Named(svg.Box, 674, 160, 139, 60, "Token endpoint", "/oauth/token")
	p.Rect(svg.Frame, 130, 278, 360, 97)
	p.Text(svg.Small, 320, 297, "Secrets Manager")
	p.Named(svg.Box, 142, 306, 165, 58, "credentials secret", "client, refresh token")
	p.Named(svg.Box, 327, 306, 151, 58, "token secret", "access token")
	p.Named(svg.Box, 545, 306, 72, 58, "Jobs", "yours")
	p.Named(svg.Box, 674, 306, 139, 58, "API", "your tenant's data")

	p.Arrow(160, 190, 263, 190, false)
	p.Text(svg.Small, 211, 182, "every minute")
	p.Arrow(340, 160, 340, 90, true)
	p.TextFrom(svg.Small, 350, 120, "1  what is due?")
	p.TextFrom(svg.Small, 350, 138, "5  record")
	p.Arrow(300, 220, 236, 304, true)
	p.TextTo(svg.Small, 258, 258, "2  read (save)")
	p.Arrow(415, 190, 672, 190, false)
	p.Text(svg.Small, 585, 182, "3  request a token")
	p.Arrow(378, 220, 402, 304, false)
	p.TextFrom(svg.Small, 397, 258, "4  publish")
	p.Arrow(545, 335, 480, 335, false)
	p.Text(svg.Small, 525, 327, "read")
	p.Arrow(617, 335, 672, 335, false)
	p.Text(svg.Small, 640, 327, "call")
	p.Check(t, filepath.Join(root, "docs", "pictures", "who-calls-whom.svg"), *draw)
}
