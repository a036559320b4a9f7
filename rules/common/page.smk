"""What the rules of the page ask."""

from collections import defaultdict

from scripts.page import standing

# What pages are made with: the modules, and the templates that they fill in.
PAGE_CODE = [
    code_of("scripts.page.write"),
    *map(digest, sorted((HOME / "scripts/page").glob("*.[hcj]*"))),
]


def find_base(image):
    """The base file of an image."""
    return base_files().find(image)


@exit_on_user_error
def strips(_):
    """The strip of each base file's chain: it is made once all of the chain's rounds are there."""
    check_links("index_files")
    return [f"results/{image}/strip.png" for image in every_chain(None)]


@exit_on_user_error
def figures_asked_for(_):
    """Figures that this call makes besides, of every chain: the page comes after them."""
    return sorted(set().union(*asked_for().values()))


@exit_on_user_error
def figures_asked_of(wildcards):
    """The same of one chain."""
    return sorted(asked_for()[wildcards.chain])


@lru_cache
def asked_for():
    """The paths of figures among the targets of this call, and behind them, by chain."""
    wanted = [os.path.normpath(target) for target in workflow.dag_settings.targets]
    wanted += all_figures(None) if "figures" in wanted else []
    wanted += study_tables(None) if "study" in wanted else []
    found = defaultdict(set)
    for path in wanted:
        if chain := standing.chain_of_figure(path):
            found[chain].add(path)
            if path.endswith("drift.svg"):
                found[chain].add(path.replace("drift.svg", "drift.tsv"))
    return found


def stands_beside(_):
    """Chains, rounds and figures that the page shows, although this call does not make them.

    As a parameter, so that the page is made anew when there are others: chains with a seed or a
    bundle in their name, rounds beyond those of the config, figures that were asked for by name.
    """
    planned = set(every_chain(None))
    found = standing.every_chain("results")
    more = {chain.name: beyond(chain, planned) for chain in found}
    return {name: what for name, what in more.items() if what}


def stands_in(wildcards):
    """The same of one chain."""
    chain = standing.chain(Path("results", wildcards.chain))
    return beyond(chain, {wildcards.chain}) if chain else []


def beyond(chain, planned):
    """What there is of a chain besides the rounds that the config asks for, if those are planned."""
    asked = {"strip.png", *(path.split("/", 2)[2] for path in asked_for()[chain.name])}
    more = [figure for figure in chain.every_figure if figure not in asked]
    if chain.name not in planned or chain.farthest > config["rounds"]:
        more.append(chain.digest())
    return more


def show_the_rest():
    """Writes the page where it was asked for and waits for chains that have failed."""
    if is_waiting("page"):
        from scripts.page import write

        with user_errors():
            chains = write.front(
                "results", find_base, seed=config["seed"], bundle=config["bundle"]
            )
            if chains and spoken:
                spoken.played.files["page"] = ["results/index.html"]
