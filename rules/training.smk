"""From captioned pictures to a bundle: models/<bundle>/training.yaml tells how."""

from scripts.training import lessons


rule train:
    input:
        trained_parts,
    message:
        "Putting what was learnt into models/{config[bundle]}"
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


rule learn_eyes:
    input:
        dataset=dataset_of,
        words="training/{bundle}/text_encoder.txt",
    output:
        "training/{bundle}/eyes.safetensors",
    threads: 1
    message:
        "Teaching eyes: {output}"
    run:
        teach(lessons.eyes, wildcards, threads, *input[1:], *output)


rule learn_captioner:
    input:
        dataset=dataset_of,
        words="training/{bundle}/captioner.txt",
        eyes="training/{bundle}/eyes.safetensors",
    output:
        "training/{bundle}/captioner_of_pictures.safetensors",
    threads: 1
    message:
        "Teaching the captioner: {output}"
    run:
        teach(lessons.captioner, wildcards, threads, *input[1:], *output)


rule learn_damsm:
    input:
        dataset=dataset_of,
        words="training/{bundle}/text_encoder.txt",
        eyes="training/{bundle}/eyes.safetensors",
        captioner="training/{bundle}/captioner_of_pictures.safetensors",
    output:
        text="training/{bundle}/text_encoder.safetensors",
        image="training/{bundle}/image_encoder.safetensors",
    threads: 1
    message:
        "Teaching the encoders of texts and pictures: {output}"
    run:
        teach(lessons.damsm, wildcards, threads, *input[1:], *output)


rule learn_generator:
    input:
        dataset=dataset_of,
        words="training/{bundle}/text_encoder.txt",
        text="training/{bundle}/text_encoder.safetensors",
        eyes="training/{bundle}/image_encoder.safetensors",
    output:
        "training/{bundle}/generator.safetensors",
    threads: 2
    message:
        "Teaching the painter: {output}"
    run:
        teach(lessons.generator, wildcards, threads, *input[1:], *output)


rule paintings:
    input:
        dataset=dataset_of,
        words="training/{bundle}/text_encoder.txt",
        text="training/{bundle}/text_encoder.safetensors",
        generator="training/{bundle}/generator.safetensors",
    output:
        "training/{bundle}/paintings/captions.jsonl",
    threads: 2
    message:
        "Painting captions for the captioner to learn from: {output}"
    run:
        teach(lessons.paintings, wildcards, threads, *input[1:], *output)


rule refine_captioner:
    input:
        dataset=dataset_of,
        words="training/{bundle}/captioner.txt",
        captioner="training/{bundle}/captioner_of_pictures.safetensors",
        paintings="training/{bundle}/paintings/captions.jsonl",
    output:
        "training/{bundle}/captioner.safetensors",
    threads: 1
    message:
        "Teaching the captioner what its painter's pictures show: {output}"
    run:
        teach(lessons.refined_captioner, wildcards, threads, *input[1:], *output)
