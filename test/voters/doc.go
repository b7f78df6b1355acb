// Package voters is voters who vote at a running poll as browsers do and keep books. An acknowledged vote must be counted.
// A vote that was answered with an error, or not at all, may be counted or not. So the books know which tallies are right.
//
//	crowd := voters.NewCrowd(voters.Options{Sites: []voters.Site{{URL: "http://192.168.33.12", Host: "votingapp.local"}}})
//	campaign := crowd.Start(ctx, 8, 50*time.Millisecond)
//	...                            // something happens to the poll
//	seen := campaign.Stop()        // what the voters saw of it
//	err := crowd.Settle(ctx)       // voters in doubt vote again
//	took, err := crowd.Books().AwaitResults(ctx, "http://192.168.33.250", time.Minute)
package voters
