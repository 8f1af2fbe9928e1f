import { createElement } from 'lwc';
import DrchronoLinkModal from 'c/drchronoLinkModal';

function modalOf(isLinked) {
    const element = createElement('c-drchrono-link-modal', { is: DrchronoLinkModal });
    element.isLinked = isLinked;
    element.patientId = isLinked ? '900001' : null;
    element.closed = [];
    element.addEventListener('close', (event) => element.closed.push(event.detail));
    document.body.appendChild(element);
    return element;
}

function type(element, value) {
    const input = element.shadowRoot.querySelector('lightning-input');
    let problem = '';
    input.value = value;
    input.setCustomValidity = (says) => {
        problem = says;
    };
    input.reportValidity = () => problem === '';
    input.focus = jest.fn();
    element.shadowRoot.querySelector('[data-id="confirm"]').click();
    return { input, problem };
}

afterEach(() => document.body.replaceChildren());

it.each([
    ['900001', '900001'],
    ['  7 ', '7']
])('closes with the patient that was typed: %s', (typed, closed) => {
    const element = modalOf(false);

    type(element, typed);

    expect(element.closed).toEqual([closed]);
});

it.each([undefined, '', '0', '12a', '1234567890123456789'])('keeps open and asks again: %s', (typed) => {
    const element = modalOf(false);

    const { input, problem } = type(element, typed);

    expect(element.closed).toEqual([]);
    expect(problem).toContain('number');
    expect(input.focus).toHaveBeenCalled();
});

it('says what unlinking means and closes with true', () => {
    const element = modalOf(true);

    expect(element.shadowRoot.textContent).toContain('Nothing is deleted');
    expect(element.shadowRoot.querySelector('lightning-input')).toBeNull();
    element.shadowRoot.querySelector('[data-id="confirm"]').click();
    expect(element.closed).toEqual([true]);
});

it('closes with nothing when it is canceled', () => {
    const element = modalOf(true);

    element.shadowRoot.querySelector('[data-id="cancel"]').click();

    expect(element.closed).toEqual([null]);
});

it.each([true, false])('is accessible: %s', async (isLinked) => {
    await expect(modalOf(isLinked)).toBeAccessible();
});
