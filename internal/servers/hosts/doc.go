// Package hosts gives tests hosts of their own on this machine: network namespaces,
// each with an address, and a router between them that loses what it is told to lose.
//
//	network, err := hosts.NewNetwork(ctx)
//	…
//	defer network.Close()
//	a, err := network.NewHost(ctx, "a")
//	b, err := network.NewHost(ctx, "b")
//	a.Start(exec.CommandContext(ctx, "mesonet", "server", …)) // listens on a.Addr()
//	heal, err := network.Cut(ctx, hosts.Way{From: a, To: b})  // a half-cut link
//	…
//	heal(ctx)
//
// What is lost is lost in the middle, without a word to either end, as behind a switch
// that has died: who sends is told nothing, and connections stay until somebody's
// patience ends. A route to nowhere on the host itself would refuse to send, which
// programs notice at once.
//
// Nothing of it is in the namespace of this process: no interface, no route, no
// address. So nothing outside reaches a host, nothing on it reaches the network of the
// machine, any number of networks have the same addresses, and a firewall of the
// machine has no say. The process comes to a host by sockets that it makes there
// ([Host.DialContext], [Host.Listen]), for which it needs no way through the router: it
// asks a host that is cut off as somebody does who sits before it. [Network.Relay] ties
// the two sides together.
//
// Namespaces are named after the process, and removed by Close with what runs in them.
// Those of a process that was killed are removed when the next network is made.
//
// It takes Linux, the program ip of iproute2, and the capabilities CAP_NET_ADMIN and
// CAP_SYS_ADMIN, as root has them: see [Check]. Tests get a network from package
// serverstest. All methods are safe for concurrent use.
package hosts
