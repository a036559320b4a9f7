"""From captioned pictures to a bundle: models/<bundle>/training.yaml tells how."""

from scripts.training import lessons


rule train:
    """trains the bundle of the config"""
    input:
        trained_parts,
    message:
        "Putting what was learnt into models/{config[bundle]}"
    run:
        name = config["bundle"]
        tell(lessons.install, input, bundle_to_be(name), recipe_called(name))


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
        pretrained=pretrained_eyes,
    output:
        "training/{bundle}/eyes.safetensors",
    threads: 1
    message:
        "Teaching eyes: {output}"
    run:
        teach(lessons.eyes, wildcards, threads, input.words, *output)


rule learn_captioner:
    input:
        dataset=described,
        words="training/{bundle}/captioner.txt",
        eyes=eyes_to_begin_with,
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
        captioner=eyes_that_know,
    output:
        text="training/{bundle}/damsm_texts.safetensors",
        image="training/{bundle}/damsm_pictures.safetensors",
    threads: 1
    message:
        "Teaching the encoders of texts and pictures: {output}"
    run:
        teach(lessons.damsm, wildcards, threads, *input[1:], *output)


rule learn_first_stage:
    input:
        dataset=dataset_of,
        words="training/{bundle}/text_encoder.txt",
        text="training/{bundle}/damsm_texts.safetensors",
    output:
        first="training/{bundle}/first_stage.safetensors",
        text="training/{bundle}/text_encoder.safetensors",
    threads: 1
    message:
        "Teaching the painter's first stage: {output}"
    run:
        teach(lessons.first_stage, wildcards, threads, *input[1:], *output)


rule learn_later_stages:
    input:
        dataset=dataset_of,
        words="training/{bundle}/text_encoder.txt",
        text="training/{bundle}/damsm_texts.safetensors",
    output:
        "training/{bundle}/later_stages.safetensors",
    threads: 1
    message:
        "Teaching the painter's later stages on true pictures: {output}"
    run:
        teach(lessons.later_stages, wildcards, threads, *input[1:], *output)


rule learn_generator:
    input:
        dataset=dataset_of,
        words="training/{bundle}/text_encoder.txt",
        text="training/{bundle}/text_encoder.safetensors",
        eyes="training/{bundle}/damsm_pictures.safetensors",
        first="training/{bundle}/first_stage.safetensors",
        later=later_stages_of,
    output:
        "training/{bundle}/generator.safetensors",
        image="training/{bundle}/image_encoder.safetensors",
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
        dataset=described,
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
