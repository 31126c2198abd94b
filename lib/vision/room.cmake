# vision
