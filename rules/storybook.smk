"""The storybook's world: its artwork, scenes rendered from it, and how well it is learnt."""

# Scenes that are drawn to learn from, before the rest of the world, and those that are kept for the
# evaluation: seed and number.
DRAWN, HELD_OUT = (1, 20000), (2, 2000)
ART = expand(
    "training/artwork/{style}.json", style=["noto", "fluent-emoji-flat", "twemoji"]
)
BUNDLE = expand(
    "models/storybook/{file}",
    file=[
        "captioner.safetensors",
        "captioner.txt",
        "text_encoder.safetensors",
        "text_encoder.txt",
        "generator.safetensors",
    ],
)


rule artwork:
    output:
        "training/artwork/{style}.json",
    localrule: True
    message:
        "Fetching the artwork of {wildcards.style}"
    run:
        from scripts.storybook.artwork import fetch

        tell(fetch, wildcards.style, output[0])


rule scenes:
    input:
        ART,
    output:
        "training/scenes/train/captions.jsonl",
    params:
        drawn=DRAWN,
        held_out=HELD_OUT,
    message:
        "Rendering scenes: {output}"
    run:
        from scripts.storybook.dataset import held_out, to_learn_from, write

        others = held_out(params.drawn, *params.held_out)
        tell(write, input, output[0], to_learn_from(params.drawn, others), side=256)


rule unseen_scenes:
    input:
        ART,
    output:
        "training/scenes/held-out/captions.jsonl",
    params:
        drawn=DRAWN,
        held_out=HELD_OUT,
    message:
        "Rendering scenes that are not among those to learn from: {output}"
    run:
        from scripts.storybook.dataset import held_out, write

        others = held_out(params.drawn, *params.held_out)
        tell(write, input, output[0], others, side=256)


rule contact_sheet:
    input:
        ART,
    output:
        "training/contact_sheet.png",
    message:
        "The world at a glance: {output}"
    run:
        from scripts.storybook.contact_sheet import draw

        tell(draw, input, output[0])


rule base_pictures:
    input:
        ART,
    output:
        directory("training/base_pictures"),
    message:
        "Rendering the base pictures that come with the game"
    run:
        from scripts.storybook.dataset import write_bases

        tell(write_bases, input, output[0])


rule study_bases:
    input:
        ART,
    output:
        pictures=expand("docs/study/input/scene-{number:02}.png", number=range(1, 33)),
        texts=expand("docs/study/input/told-{number:02}.txt", number=range(1, 9)),
        truth="docs/study/input/truth.tsv",
    message:
        "Base pictures and base texts of a study, of scenes that were never trained on"
    run:
        from scripts.storybook.dataset import write_study

        tell(
            write_study,
            input,
            output.pictures,
            output.texts,
            output.truth,
            HELD_OUT[0],
            DRAWN,
        )


rule attributes:
    output:
        "training/storybook/attributes.yaml",
    localrule: True
    message:
        "What captions tell of a scene, as a table: {output}"
    run:
        from scripts.storybook.grammar import write_attributes

        tell(write_attributes, output[0])


rule judge:
    input:
        "training/scenes/train/captions.jsonl",
    output:
        "training/judge.safetensors",
    threads: 2
    message:
        "Teaching the judge"
    run:
        from scripts.storybook.evaluate import teach_judge

        tell(teach_judge, input[0], output[0])


rule evaluate:
    input:
        scenes="training/scenes/held-out/captions.jsonl",
        judge="training/judge.safetensors",
        bundle=BUNDLE,
    output:
        "training/storybook/figures.tsv",
    threads: 2
    message:
        "Measuring the storybook bundle on scenes that it never saw"
    run:
        from scripts.storybook.evaluate import measure

        tell(
            measure,
            input.scenes,
            input.judge,
            bundle_called("storybook"),
            output[0],
        )


rule card:
    input:
        figures="training/storybook/figures.tsv",
    localrule: True
    params:
        card="models/storybook/README.md",
    message:
        "Putting the figures into {params.card}"
    run:
        from scripts.storybook import card

        tell(card.write, input.figures, params.card)
