"""The game: a picture is described, the description is painted, the painting is described, …"""

from scripts.stages.caption import caption
from scripts.stages.generate import generate

# No rule has a `log:`, which `snakemake --lint` misses: these `run:` blocks print nothing but one
# message if something is wrong, which Snakemake shows and logs itself. (A test allows that remark
# of the linter's, and no other.)

# One thread a stage: more would change the last bits of what the networks compute, and with them
# sometimes a caption. Several chains are played at once instead.


rule caption:
    """results/<chain>/round<n>.txt: the caption of the picture before"""
    input:
        seen=what_is_seen,
        bundle=captioner_files,
    output:
        text="results/{chain}/round{round}.txt",
        record="results/{chain}/captions/round{round}.json",
    threads: 1
    resources:
        mem_mb=captioner_memory,
        gres=graphics_cards,
    params:
        base=base_content,
        sizes=captioner_settings,
        weights=captioner_contents,
        code=captioner_code,
        source=untracked(seen_path),
        chain=untracked(chain_of),
        round=untracked(round_of),
        bundle=untracked(bundle_of),
        beam=untracked(config["captioner"]["beam"]),
        device=untracked(config["device"]),
        batch=untracked(config["batch"]),
    message:
        "Round {wildcards.round} of {wildcards.chain}: describing {input.seen}"
    run:
        caption(
            params.source,
            *output,
            chain=params.chain,
            round_=params.round,
            bundle=params.bundle,
            beam=params.beam,
            device=params.device,
            threads=threads,
            batch=params.batch,
        )


rule generate:
    """results/<chain>/round<n>.png: the picture painted from that caption"""
    input:
        text=text_to_paint,
        said=caption_record,
        bundle=painter_files,
        recorded=recorded_files,
    output:
        picture="results/{chain}/round{round}.png",
        record="results/{chain}/round{round}.json",
    threads: 1
    resources:
        mem_mb=painter_memory,
        gres=graphics_cards,
    params:
        image=chain_image,
        seed=chain_seed,
        sizes=painter_settings,
        weights=painter_contents,
        code=painted_by(GENERATE),
        said=optional_input("said"),
        chain=untracked(chain_of),
        round=untracked(round_of),
        bundle=untracked(bundle_of),
        device=untracked(config["device"]),
        batch=untracked(config["batch"]),
    message:
        "Round {wildcards.round} of {wildcards.chain}: painting {input.text}"
    run:
        # The recipe has digests of weights, which may be fetched or converted by then.
        generate(
            input.text,
            *output,
            said=params.said,
            recipe=recipe_of(wildcards),
            chain=params.chain,
            round_=params.round,
            bundle=params.bundle,
            device=params.device,
            threads=threads,
            batch=params.batch,
        )


rule play:
    """a game of your own: --config picture=dog.jpg, or --config text="a kite" (or make play)"""
    input:
        own_game,
    localrule: True


rule refused:
    output:
        ".snakemake/refused/{number}",
    wildcard_constraints:
        number=r"\d+",
    localrule: True
    run:
        refuse(wildcards)
