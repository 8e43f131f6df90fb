"""Operations of augmentation, one a file: draw, then apply, then record. None may change who a face is."""
