"""From captioned pictures to a bundle: models/<bundle>/training.yaml tells how."""


rule train:
    """trains the bundle of the config, and writes weights and words into models/<bundle>/"""
    input:
        trained_parts,
    output:
        INSTALLED,
    localrule: True
    params:
        code=code_of("scripts.training.installation"),
        bundle=untracked(config["bundle"]),
    message:
        "Writing what was learnt into models/{config[bundle]}/: weights, words, sizes"
    run:
        how = bundle_to_be(params.bundle), recipe_called(params.bundle)
        if odd := installation.install(input, *how, *output):
            logger.warning(odd)


rule count_words:
    input:
        dataset_of,
    output:
        captioner="training/{bundle}/captioner.txt",
        text_encoder="training/{bundle}/text_encoder.txt",
    resources:
        runtime=training_minutes,
        mem_mb=training_memory,
    params:
        told=told_to(words),
        code=code_of("scripts.training.jobs.words"),
    message:
        "Counting words: {output}"
    run:
        words.work(training_job(words, wildcards, params), *output)


rule train_backbone:
    input:
        dataset=dataset_of,
        words="training/{bundle}/text_encoder.txt",
        pretrained=pretrained_backbone,
    output:
        "training/{bundle}/backbone.safetensors",
    threads: 1
    resources:
        runtime=training_minutes,
        mem_mb=training_memory,
        gres=training_cards,
    params:
        told=told_to(backbone),
        device=untracked(config["device"]),
        code=code_of("scripts.training.jobs.backbone"),
    message:
        "Training the backbone: {output}"
    run:
        run_training_job(
            backbone,
            wildcards,
            params,
            threads,
            input.words,
            next(iter(input.pretrained), None),
            *output,
        )


rule train_captioner:
    input:
        dataset=described,
        words="training/{bundle}/captioner.txt",
        backbone=first_backbone,
    output:
        "training/{bundle}/captioner_of_pictures.safetensors",
    threads: 1
    resources:
        runtime=training_minutes,
        mem_mb=training_memory,
        gres=training_cards,
    params:
        told=told_to(captioner),
        device=untracked(config["device"]),
        code=code_of("scripts.training.jobs.captioner"),
    message:
        "Training the captioner: {output}"
    run:
        run_training_job(
            captioner,
            wildcards,
            params,
            threads,
            input.words,
            input.backbone,
            *output,
        )


rule train_damsm:
    input:
        dataset=dataset_of,
        words="training/{bundle}/text_encoder.txt",
        backbone="training/{bundle}/backbone.safetensors",
        captioner=trained_backbone,
    output:
        text="training/{bundle}/damsm_texts.safetensors",
        image="training/{bundle}/damsm_pictures.safetensors",
    threads: 1
    resources:
        runtime=training_minutes,
        mem_mb=training_memory,
        gres=training_cards,
    params:
        told=told_to(damsm),
        device=untracked(config["device"]),
        code=code_of("scripts.training.jobs.damsm"),
    message:
        "Training the encoders of texts and pictures: {output}"
    run:
        run_training_job(
            damsm,
            wildcards,
            params,
            threads,
            input.words,
            input.backbone,
            input.captioner,
            *output,
        )


rule train_first_stage:
    input:
        dataset=dataset_of,
        words="training/{bundle}/text_encoder.txt",
        text="training/{bundle}/damsm_texts.safetensors",
    output:
        first="training/{bundle}/first_stage.safetensors",
        text="training/{bundle}/text_encoder.safetensors",
    threads: 1
    resources:
        runtime=training_minutes,
        mem_mb=training_memory,
        gres=training_cards,
    params:
        told=told_to(first_stage),
        device=untracked(config["device"]),
        code=code_of("scripts.training.jobs.first_stage"),
    message:
        "Training the painter's first stage: {output}"
    run:
        run_training_job(
            first_stage,
            wildcards,
            params,
            threads,
            input.words,
            input.text,
            *output,
        )


rule train_later_stages:
    input:
        dataset=dataset_of,
        words="training/{bundle}/text_encoder.txt",
        text="training/{bundle}/damsm_texts.safetensors",
    output:
        "training/{bundle}/later_stages.safetensors",
    threads: 1
    resources:
        runtime=training_minutes,
        mem_mb=training_memory,
        gres=training_cards,
    params:
        told=told_to(later_stages),
        device=untracked(config["device"]),
        code=code_of("scripts.training.jobs.later_stages"),
    message:
        "Training the painter's later stages on true pictures: {output}"
    run:
        run_training_job(
            later_stages,
            wildcards,
            params,
            threads,
            input.words,
            input.text,
            *output,
        )


rule train_generator:
    input:
        dataset=dataset_of,
        words="training/{bundle}/text_encoder.txt",
        text="training/{bundle}/text_encoder.safetensors",
        backbone="training/{bundle}/damsm_pictures.safetensors",
        captioner=lent_backbone,
        first="training/{bundle}/first_stage.safetensors",
        later=later_stages_of,
    output:
        "training/{bundle}/generator.safetensors",
        image="training/{bundle}/image_encoder.safetensors",
    threads: 2
    resources:
        runtime=training_minutes,
        mem_mb=training_memory,
        gres=training_cards,
    params:
        told=told_to(generator),
        device=untracked(config["device"]),
        code=code_of("scripts.training.jobs.generator"),
    message:
        "Training the painter: {output}"
    run:
        run_training_job(
            generator,
            wildcards,
            params,
            threads,
            input.words,
            input.text,
            input.backbone,
            input.captioner,
            input.first,
            input.later,
            *output,
        )


rule paint_captions:
    input:
        dataset=dataset_of,
        words="training/{bundle}/text_encoder.txt",
        text="training/{bundle}/text_encoder.safetensors",
        generator="training/{bundle}/generator.safetensors",
    output:
        "training/{bundle}/paintings/captions.jsonl",
    threads: 2
    resources:
        runtime=training_minutes,
        mem_mb=training_memory,
        gres=training_cards,
    params:
        told=told_to(paintings),
        device=untracked(config["device"]),
        code=code_of("scripts.training.jobs.paintings"),
    message:
        "Painting captions for the captioner to learn from: {output}"
    run:
        run_training_job(
            paintings,
            wildcards,
            params,
            threads,
            input.words,
            input.text,
            input.generator,
            *output,
        )


rule finetune_captioner:
    input:
        dataset=described,
        words="training/{bundle}/captioner.txt",
        captioner="training/{bundle}/captioner_of_pictures.safetensors",
        paintings="training/{bundle}/paintings/captions.jsonl",
    output:
        "training/{bundle}/captioner.safetensors",
    threads: 1
    resources:
        runtime=training_minutes,
        mem_mb=training_memory,
        gres=training_cards,
    params:
        told=told_to(refined_captioner),
        device=untracked(config["device"]),
        code=code_of("scripts.training.jobs.refined_captioner"),
    message:
        "Fine-tuning the captioner on what its painter's pictures show: {output}"
    run:
        run_training_job(
            refined_captioner,
            wildcards,
            params,
            threads,
            input.words,
            input.captioner,
            input.paintings,
            *output,
        )
