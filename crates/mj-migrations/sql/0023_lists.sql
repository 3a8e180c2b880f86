-- Long lists answer at once: one index for each order of the queue, holding everything the filters ask, so that
-- a hundred thousand items are walked without reading one of them.

DROP INDEX work_item_queue;
DROP INDEX work_item_order;
CREATE INDEX work_item_order ON work_item
  ((COALESCE(deadline, '9999-12-31') || ' ' || id), state, kind, area_number, agency, assignee, deadline, title, id);
CREATE INDEX work_item_created ON work_item
  (created_at, id, state, kind, area_number, agency, assignee, deadline, title);
CREATE INDEX work_item_urged ON work_item
  (urged, id, state, kind, area_number, agency, assignee, deadline, title);
