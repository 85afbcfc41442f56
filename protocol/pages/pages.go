// Package pages is what every web page of the project has in common, whoever it
// is for: the embedded scripts, how templates and files are found, the headers
// that keep a page to itself, cookies, budgets of tries, limits of a body and of
// a server, a stream of events, and how times and numbers are written.
//
// It promises that a page loads nothing from elsewhere and runs no script that
// is not embedded; that a session's cookie does not travel in the clear but on
// loopback; and that every limit holds. It knows no officer and no operator:
// node/web and replication/console draw their own pages with it.
package pages
