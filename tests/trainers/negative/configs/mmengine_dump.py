auto_scale_lr = dict(base_batch_size=16, enable=False)
backend_args = None
data_root = 'data/coco/'
default_hooks = dict(
    checkpoint=dict(interval=1, type='CheckpointHook'),
    logger=dict(interval=50, type='LoggerHook'),
    timer=dict(type='IterTimerHook'))
model = dict(
    bbox_head=dict(
        loss_bbox=dict(loss_weight=1.0, type='L1Loss'),
        loss_cls=dict(alpha=0.25, gamma=2.0, loss_weight=1.0, type='FocalLoss'),
        num_classes=80),
    test_cfg=dict(nms=dict(iou_threshold=0.5, type='nms'), score_thr=0.05),
    type='RetinaNet')
optim_wrapper = dict(optimizer=dict(lr=0.01, momentum=0.9, type='SGD', weight_decay=0.0001))
param_scheduler = [
    dict(begin=0, by_epoch=False, end=500, start_factor=0.001, type='LinearLR'),
    dict(begin=0, by_epoch=True, end=12, gamma=0.1, milestones=[8, 11], type='MultiStepLR'),
]
