// Package week plays seven business days of a whole center in virtual time, and compares its books.
//
// Two merchants trade around the cutovers; two issuers keep business days, one naming its own, the
// other following the switch; one of them is away for a night.
package week
