package promotion_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestFoundSchedules plays the histories that once broke a rule, shrunk, each named by the fault that it found.
// It keeps R10, R17, R25, R37, R39, R46, R47, R50, R72, R74, R83, R84, R85, R86 and R89.
func TestFoundSchedules(t *testing.T) {
	for name, s := range map[string]schedule{
		"a cluster is left outside the windows beside an urgent value": {1315, []event{
			{"claims", 194440, 374331, 628209},
			{"rush", 19097, 491425, 457645},
			{"say", 984596, 22008, 307814},
			{"select", 533945, 215857, 115038},
			{"wait", 673149, 165343, 392191},
		}},
		"a release of the same bytes brings a value along that no gate was asked about": {76, []event{
			{"claims", 419056, 712634, 847555},
			{"say", 1018937, 929306, 972710},
			{"choose", 737488, 445099, 801969},
			{"wait", 188843, 602803, 140298},
		}},
		"a cluster that stays after all has the release whose bytes it has": {19650, []event{
			{"join", 106016, 267765, 558640}, {"drain", 84263, 299699, 906340}, {"own", 749202, 550000, 54522},
		}},
		"a cluster that is held keeps the bytes of another release, which prove nothing": {8190, []event{
			{"hold", 197206, 152265, 400712}, {"drain", 388480, 27559, 689460}, {"wait", 480443, 502342, 40542}, {"good", 662299, 775430, 126483},
		}},
		"an instance whose clusters left is healthy nowhere": {26208, []event{
			{"bad", 530943, 487326, 425232}, {"drain", 25655, 586519, 701100}, {"activate", 272966, 761391, 459452}, {"revert", 1046585, 154749, 754308},
		}},
		"a pin brings back an older version under a newer request": {616, []event{
			{"bad", 800496, 288886, 745310}, {"own", 323332, 380344, 130713}, {"pin", 808215, 189396, 906932}, {"wait", 371887, 587799, 1043396},
		}},
		"a removal is forgotten while staging runs what failed": {25875, []event{
			{"sick", 931348, 424071, 332637},
			{"wait", 346750, 696865, 883138},
			{"wait", 796480, 952777, 448856},
			{"wait", 951786, 564965, 413375},
			{"wait", 853871, 945013, 879085},
			{"narrow", 155151, 291269, 949152},
			{"wait", 103026, 105548, 788085},
			{"wait", 717844, 476556, 574945},
			{"wait", 680799, 594405, 657028},
		}},
		"a provider goes while what is bound to it comes": {2305, []event{
			{"bind", 536654, 890410, 861608}, {"narrow", 318113, 260823, 250029},
		}},
		"a removal from no cluster that counts proves nothing": {4150, []event{
			{"remove", 556941, 876033, 107558}, {"drain", 381265, 190440, 1832}, {"mends", 772677, 127506, 536679}, {"mends", 360096, 97245, 1007808},
		}},
		"what healed and failed again goes back no further": {7115, []event{
			{"bad", 320101, 198831, 691345},
			{"wait", 368755, 1031911, 511690},
			{"wait", 953201, 888378, 823047},
			{"drain", 581288, 1000592, 675636},
			{"activate", 709209, 325360, 793520},
			{"wait", 376081, 181815, 55234},
			{"wait", 776133, 145351, 852365},
		}},
		"what was proven here before proves itself still when it comes back": {3000983, []event{
			{"fix", 415167, 64823, 946392},
			{"withdraw", 330528, 1032021, 898105},
			{"well", 299378, 6131, 355056},
			{"narrow", 760164, 72667, 853291},
			{"wait", 654567, 1015595, 2152},
		}},
		"a cluster that joins with a version counts nowhere": {49, []event{
			{"good", 442957, 25377, 236047}, {"join", 181318, 888279, 909225},
		}},
		"a cluster that comes back while its rollout is open is in it once": {520, []event{
			{"join", 787758, 683258, 452983},
			{"add", 622585, 84464, 530626},
			{"restart", 668221, 1000567, 789156},
			{"wait", 399083, 275728, 81738},
			{"drain", 917887, 495912, 978304},
		}},
		"what was healthy before its cluster was let go is not left for something older": {87066, []event{
			{"wait", 227176, 652812, 294775},
			{"bad", 248324, 549891, 310047},
			{"wait", 861527, 958820, 259647},
			{"wait", 740668, 498741, 924131},
			{"vanish", 259009, 710670, 747259},
			{"return", 1012463, 926832, 455117},
			{"unapprove", 55778, 832594, 691984},
			{"wait", 807731, 1022288, 937632},
		}},
		"a rollout whose clusters were let go was healthy nowhere": {48194, []event{
			{"bad", 680643, 89589, 698054},
			{"join", 831058, 784923, 791478},
			{"vanish", 487361, 155480, 898840},
			{"activate", 322643, 105239, 408660},
			{"unpin", 428846, 511594, 72456},
		}},
		"what leaves its only cluster, which is held, has not entered": {2001544, []event{
			{"wait", 605381, 27960, 690861},
			{"place", 594596, 629405, 203144},
			{"hold", 250934, 225120, 858592},
			{"wait", 689218, 292255, 295455},
			{"approve", 691721, 665941, 513076},
		}},
		"a version that is for no cluster now leaves none": {5017310, []event{
			{"flee", 898724, 272268, 133189},
			{"rush", 661579, 995848, 865126},
			{"wait", 61521, 147068, 9082},
			{"wait", 654260, 987438, 763666},
			{"wait", 884275, 167511, 1005833},
			{"wait", 878309, 841607, 638257},
			{"wait", 89987, 625054, 972606},
			{"activate", 587504, 619446, 345141},
			{"wait", 740399, 348383, 633254},
		}},
		"a cluster that was to be left now and is active again is left last as any other": {1001570, []event{
			{"place", 345253, 633658, 42298}, {"wait", 793754, 240841, 949604}, {"flee", 29292, 1021442, 736318},
		}},
		"a rollout has to take along a change of the environment that failed in others": {14020, []event{
			{"pin", 467912, 475439, 554568},
			{"add", 234249, 802235, 252857},
			{"spoil", 157860, 580703, 58275},
			{"drain", 753559, 869834, 177587},
			{"wait", 894485, 898720, 248537},
		}},
		"bytes that failed come again with a release that was approved before": {7014810, []event{
			{"sick", 544836, 598580, 396117},
			{"wait", 863549, 445867, 83350},
			{"wait", 478353, 768649, 985780},
			{"choose", 394065, 837933, 431300},
			{"approve", 161802, 991718, 827974},
			{"leap", 737892, 933642, 244790},
		}},
		"what cannot be resolved any more waits to leave a cluster, and keeps everything out": {7022450, []event{
			{"place", 525979, 594680, 286440}, {"join", 594496, 350733, 430877}, {"choose", 79490, 229767, 157848}, {"weak", 848541, 552585, 5903},
		}},
		"a version asks as little as an unproven one with its bytes": {91003625, []event{
			{"bad", 652300, 387059, 659751},
			{"narrow", 636646, 696151, 700506},
			{"weak", 208804, 570134, 1025893},
			{"unslot", 566771, 93183, 601704},
			{"weak", 111261, 747933, 265697},
			{"select", 209742, 642398, 320893},
			{"wait", 464265, 774732, 769048},
		}},
		"a cluster that joined keeps the bytes of a change that went back, and counts nowhere": {7033968, []event{
			{"spoil", 627844, 117739, 598149},
			{"wait", 550834, 478528, 243960},
			{"join", 809734, 850321, 640181},
			{"leap", 847129, 66653, 989485},
			{"wait", 412268, 414679, 95808},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			rules, trace := s.run(true, true)
			require.Empty(t, rules, "%v", trace)
		})
	}
}
