from generalization.figures.network_counts import counted


def test_networks_are_counted_in_words(table):
    assert counted(table, "all") == "all: 10 networks of 5 ensembles"
    assert counted(table.head(1), "mnist", "fitted") == "mnist: 1 fitted network of 1 ensemble"
