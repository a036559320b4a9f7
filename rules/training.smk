"""From captioned pictures to a bundle: models/<bundle>/training.yaml tells how."""

from scripts.training import lessons


@asked
def recipe_called(name):
    return lessons.Recipe.read(f"models/{name}/training.yaml")


@asked
def dataset_of(wildcards):
    return f"{recipe_called(wildcards.bundle).dataset}/captions.jsonl"


@asked
def trained_parts(_):
    return [
        f"training/{config['bundle']}/{path.name}"
        for path in bundle_called(config["bundle"]).files(*PARTS)
    ]


rule train:
    input:
        trained_parts,
    message:
        "Putting what was learnt into models/" + config["bundle"]
    run:
        tell(lessons.install, input, bundle_called(config["bundle"]).folder)


rule learn_words:
    input:
        dataset_of,
    output:
        captioner="training/{bundle}/captioner.txt",
        text_encoder="training/{bundle}/text_encoder.txt",
    message:
        "Counting words: {output}"
    run:
        tell(lessons.words, recipe_called(wildcards.bundle), *output)


rule learn_captioner:
    input:
        dataset=dataset_of,
        words="training/{bundle}/captioner.txt",
        eyes="training/{bundle}/image_encoder.safetensors",
    output:
        "training/{bundle}/captioner.safetensors",
    threads: 2
    message:
        "Teaching the captioner: {output}"
    run:
        tell(
            lessons.captioner,
            recipe_called(wildcards.bundle),
            bundle_called(wildcards.bundle),
            input.words,
            input.eyes,
            output[0],
            config["device"],
        )


rule learn_damsm:
    input:
        dataset=dataset_of,
        words="training/{bundle}/text_encoder.txt",
    output:
        text="training/{bundle}/text_encoder.safetensors",
        image="training/{bundle}/image_encoder.safetensors",
    threads: 2
    message:
        "Teaching the encoders of texts and pictures: {output}"
    run:
        tell(
            lessons.damsm,
            recipe_called(wildcards.bundle),
            bundle_called(wildcards.bundle),
            input.words,
            *output,
            config["device"],
        )


rule learn_generator:
    input:
        dataset=dataset_of,
        words="training/{bundle}/text_encoder.txt",
        text="training/{bundle}/text_encoder.safetensors",
    output:
        "training/{bundle}/generator.safetensors",
    threads: 2
    message:
        "Teaching the painter: {output}"
    run:
        tell(
            lessons.generator,
            recipe_called(wildcards.bundle),
            bundle_called(wildcards.bundle),
            input.words,
            input.text,
            output[0],
            config["device"],
        )
